//! The list of simulations, gathered from all instances.

use std::collections::HashSet;

use axum::{
    extract::{RawQuery, State},
    http::Uri,
};
use futures_util::future::join_all;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::{RawValue, to_raw_value};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::{
    http::{
        caller::Caller,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    id::SimulationId,
    physics::{Fault, Faults},
    simulations::{Labels, ListKey, Peer, SimulationError, SimulationRecord, Simulations},
};

/// Where an instance tells others what it has.
pub(in crate::http) const INTERNAL_PATH: &str = "/internal/simulations";
/// How many simulations one page of the list may hold.
const MAX_PAGE: usize = 1000;

/// What is said not to have been heard where simulations that rest could not be read.
const REGISTRY: &str = "registry";

/// A page of simulations.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListResponse {
    /// In the order of their creation.
    #[schema(value_type = Vec<SimulationRecord>)]
    simulations: Vec<Box<RawValue>>,
    /// Asks for the next page; `null` on the last.
    next_cursor: Option<String>,
    /// Instances that were not heard: what they have is missing, or shown as it was last written
    /// down; and `registry` where that was not: simulations that rest are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    unreachable: Vec<String>,
}

/// What one instance has of a page.
#[derive(Serialize, Deserialize)]
pub(crate) struct Page {
    simulations: Vec<Entry>,
    /// Whether the instance has more behind them.
    more: bool,
}

/// A simulation and its place in the list. What other instances say of theirs is passed on as it
/// is.
#[derive(Serialize, Deserialize)]
struct Entry {
    key: Cursor,
    record: Box<RawValue>,
}

/// A position in the list, `<created>.<id>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cursor(ListKey);

/// All simulations, page by page, in the order of their creation. Being listed is no access.
#[utoipa::path(
    get,
    path = "/simulations",
    tag = "simulations",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many; 100 unless given"),
        ("cursor" = Option<String>, Query, pattern = r"^[0-9]{1,18}\.[A-Za-z0-9_-]{1,64}$", description = "The `next_cursor` of the page before"),
        ("label" = Option<String>, Query, pattern = "=", description = "Only those with this label, `name=value`; may be repeated"),
    ),
    responses(
        (status = 200, description = "A page", body = ListResponse, example = json!({"simulations": [{"sim_id": "demo", "config": {"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"}, "owner": "e286de6c", "durability": "memory", "registered": true, "status": "active", "step": 100, "time": 1.6, "bodies": 2, "joints": 0, "labels": {"course": "mechanics"}, "ttl_seconds": 3600, "created_at": "2026-01-01T12:00:00Z", "expires_at": "2026-01-01T13:00:00Z"}], "next_cursor": null})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_simulations(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<axum::Json<ListResponse>, Problem> {
    let text = query.unwrap_or_default();
    let query = ListQuery::parse(&text)?;
    let mut page = Page::of(&state.simulations, &caller, &query);
    let mut unreachable = Vec::new();
    let peers = match state.forwarder.as_ref().filter(|_| caller.may_forward) {
        Some(_) => state.simulations.peers().await,
        None => Vec::new(),
    };
    let asked = peers.iter().map(|peer| ask(&state, peer, &caller, &text));
    for (peer, answer) in peers.iter().zip(join_all(asked).await) {
        match answer {
            Some(theirs) => page.merge(theirs),
            None => unreachable.push(peer.owner.instance.to_string()),
        }
    }
    match Page::of_resting(&state.simulations, &caller, &query).await {
        Ok(resting) => page.merge_unknown(resting),
        Err(_) => unreachable.push(REGISTRY.to_owned()),
    }
    Ok(axum::Json(page.cut(query.limit, unreachable)))
}

/// What this instance has of a page, for other instances.
pub(crate) async fn list_here(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<axum::Json<Page>, Problem> {
    let query = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    Ok(axum::Json(Page::of(&state.simulations, &caller, &query)))
}

/// What another instance has of a page.
async fn ask(state: &AppState, peer: &Peer, caller: &Caller, query: &str) -> Option<Page> {
    let target: Uri = format!("{INTERNAL_PATH}?{query}").parse().ok()?;
    let forwarder = state.forwarder.as_ref()?;
    let answer = forwarder.fetch(peer, target, caller).await?;
    serde_json::from_slice(&answer).ok()
}

impl Page {
    fn of(simulations: &Simulations, caller: &Caller, query: &ListQuery) -> Self {
        let (tenant, after) = (caller.tenant.as_ref(), query.after.as_ref());
        let has_all = |owned: &Labels| query.fits(owned);
        let (found, more) = simulations.list(tenant, after, query.limit, has_all);
        let entries = found
            .into_iter()
            .map(|(key, simulation)| Entry::new(key, &simulation.record()));
        Self {
            simulations: entries.collect(),
            more,
        }
    }

    /// What rests in journals; some of it may have an owner.
    async fn of_resting(
        simulations: &Simulations,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Self, SimulationError> {
        let (tenant, after) = (caller.tenant.as_ref(), query.after.as_ref());
        let has_all = |owned: &Labels| query.fits(owned);
        let (found, more) = simulations
            .resting(tenant, after, query.limit, has_all)
            .await?;
        let entries = found
            .into_iter()
            .map(|(key, record)| Entry::new(key, &record));
        Ok(Self {
            simulations: entries.collect(),
            more,
        })
    }

    /// Adds what nobody else has spoken of.
    fn merge_unknown(&mut self, resting: Self) {
        let known: HashSet<_> = self.simulations.iter().map(|e| e.key.clone()).collect();
        let mut unknown = resting.simulations;
        unknown.retain(|entry| !known.contains(&entry.key));
        self.simulations.extend(unknown);
        self.more |= resting.more;
    }

    fn merge(&mut self, theirs: Self) {
        self.simulations.extend(theirs.simulations);
        self.more |= theirs.more;
    }

    /// The first `limit` simulations: all that can be said, as an instance with more behind its
    /// own has told of as many.
    fn cut(mut self, limit: usize, unreachable: Vec<String>) -> ListResponse {
        self.simulations.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let is_last = !self.more && self.simulations.len() <= limit;
        self.simulations.truncate(limit);
        let last = self.simulations.last().filter(|_| !is_last);
        ListResponse {
            next_cursor: last.map(|last| last.key.to_text()),
            simulations: self.simulations.into_iter().map(|e| e.record).collect(),
            unreachable,
        }
    }
}

impl Entry {
    fn new(key: ListKey, record: &SimulationRecord) -> Self {
        Self {
            key: Cursor(key),
            record: to_raw_value(record).expect("records have nothing that cannot be written"),
        }
    }
}

impl Cursor {
    fn to_text(&self) -> String {
        let (created, id) = &self.0;
        format!("{created}.{id}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('.')?;
        let key = (created.parse().ok()?, SimulationId::parse(id).ok()?);
        Some(Self(key))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("no position in the list"))
    }
}

/// What the list is asked for.
struct ListQuery {
    limit: usize,
    after: Option<ListKey>,
    labels: Vec<(String, String)>,
}

impl ListQuery {
    /// Whether a simulation with these labels is asked for.
    fn fits(&self, owned: &Labels) -> bool {
        let mut wanted = self.labels.iter();
        wanted.all(|(name, value)| owned.get(name) == Some(value))
    }

    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self {
            limit: 100,
            after: None,
            labels: Vec::new(),
        };
        let mut faults = Faults::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "limit" => match value.parse() {
                    Ok(limit) if (1..=MAX_PAGE).contains(&limit) => parsed.limit = limit,
                    _ => faults.add("limit", format_args!("must be between 1 and {MAX_PAGE}")),
                },
                "cursor" => match Cursor::parse(&value) {
                    Some(Cursor(key)) => parsed.after = Some(key),
                    None => faults.add("cursor", "must be the next_cursor of another page"),
                },
                "label" => match value.split_once('=') {
                    Some((name, value)) => {
                        parsed
                            .labels
                            .push((name.nfc().collect(), value.nfc().collect()));
                    }
                    None => faults.add("label", "must be name=value"),
                },
                _ => {
                    return Err(Problem::unknown_field(Fault {
                        pointer: String::new(),
                        detail: "the list takes limit, cursor and label".to_owned(),
                    }));
                }
            }
        }
        faults.into_result()?;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(created: &[u64], more: bool) -> Page {
        let entries = created.iter().map(|&created| Entry {
            key: Cursor((created, SimulationId::parse("s").unwrap())),
            record: to_raw_value(&created).unwrap(),
        });
        Page {
            simulations: entries.collect(),
            more,
        }
    }

    fn listed(limit: usize, pages: [(&[u64], bool); 2]) -> (String, Option<String>) {
        let [first, second] = pages.map(|(created, more)| page(created, more));
        let mut merged = first;
        merged.merge(second);
        let answer = merged.cut(limit, Vec::new());
        let records = serde_json::to_string(&answer.simulations).unwrap();
        (records, answer.next_cursor)
    }

    #[test]
    fn pages_are_merged_by_age_and_the_cursor_follows_the_last_one_shown() {
        let all = listed(4, [(&[1, 4], false), (&[2, 3], false)]);
        assert_eq!(all, ("[1,2,3,4]".to_owned(), None));
        let some = listed(2, [(&[1, 4], false), (&[2], false)]);
        assert_eq!(some, ("[1,2]".to_owned(), Some("2.s".to_owned())));
        let full = listed(2, [(&[1, 2], true), (&[], false)]);
        assert_eq!(full, ("[1,2]".to_owned(), Some("2.s".to_owned())));
        assert_eq!(listed(2, [(&[], false), (&[], false)]).1, None);
    }
}
