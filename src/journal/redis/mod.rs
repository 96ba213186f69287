//! Journals in Redis: a stream of entries for each simulation, and its snapshots beside it.
//!
//! Where a journal stands is written in the entry of its simulation, next to the fencing token,
//! so that one script compares both.

mod appends;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::cmd;

use self::appends::Appends;
use crate::{
    id::{Nonce, SimulationId},
    journal::{Append, Journal, JournalError, Purpose, Save, Settle, Standing, Verdict, Written},
    redis_store::{Invocation, PART, RedisStore, Script, StoreError, keys},
    registry::{FencingToken, Head},
    shutdown::Shutdown,
};

/// Journals in Redis.
pub struct RedisJournal {
    store: RedisStore,
    appends: Arc<Appends>,
    save: Script,
    let_go: Script,
}

impl RedisJournal {
    /// Journals that may not be reachable yet. Their entries are sent by a task that goes on until
    /// the end of the process.
    pub fn new(store: RedisStore, shutdown: &Shutdown) -> Self {
        let appends = Arc::new(Appends::default());
        let (sender, sent_to) = (Arc::clone(&appends), store.clone());
        shutdown.spawn_unawaited(async move { sender.run(&sent_to).await });
        Self {
            store,
            appends,
            save: Script::fenced(include_str!("scripts/save.lua")),
            let_go: Script::fenced(include_str!("scripts/let_go.lua")),
        }
    }
}

#[async_trait]
impl Journal for RedisJournal {
    fn append(&self, append: Append, settle: Settle) {
        self.appends.push(append, settle);
    }

    fn is_reachable(&self) -> bool {
        !self.store.is_open()
    }

    async fn save(&self, save: Save) -> Result<Verdict, JournalError> {
        let staged = keys::staged(&save.id, &Nonce::random());
        let is_large = save.image.len() > PART;
        if is_large {
            self.store.stage(&staged, &save.image).await?;
        }
        let call = commit(&save, staged, is_large);
        let words: Vec<String> = self.store.invoke(&self.save, &call).await?;
        verdict(words.iter().map(String::as_str))
    }

    async fn let_go(
        &self,
        id: &SimulationId,
        token: &FencingToken,
        fault: Option<&str>,
    ) -> Result<Verdict, JournalError> {
        let call = Invocation {
            keys: vec![keys::meta(id)],
            args: vec![token.as_str().into(), fault.unwrap_or_default().into()],
        };
        let words: Vec<String> = self.store.invoke(&self.let_go, &call).await?;
        verdict(words.iter().map(String::as_str))
    }

    async fn standing(&self, id: &SimulationId) -> Result<Option<Standing>, JournalError> {
        let mut read = cmd("HMGET");
        read.arg(keys::meta(id))
            .arg(&["token", "seq", "chain", "snapshot", "previous", "fault"]);
        let fields: [Option<String>; 6] = self.store.query(&read).await?;
        let [token, seq, chain, snapshot, previous, fault] = fields;
        let (Some(token), Some(seq), Some(chain)) = (token, seq, chain) else {
            return Ok(None);
        };
        let snapshots = [snapshot, previous].into_iter().flatten();
        Ok(Head::parse(&seq, &chain).map(|head| Standing {
            token: FencingToken::from_text(&token),
            head,
            snapshots: snapshots.filter_map(|seq| seq.parse().ok()).collect(),
            fault,
        }))
    }

    async fn snapshot(&self, id: &SimulationId, seq: u64) -> Result<Option<Bytes>, JournalError> {
        let image = self.store.read_whole(&keys::snapshot(id, seq)).await?;
        Ok((!image.is_empty()).then(|| image.into()))
    }

    async fn entries(
        &self,
        id: &SimulationId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Written>, JournalError> {
        let mut read = cmd("XRANGE");
        read.arg(keys::journal(id))
            .arg(format!("{}-0", after + 1))
            .arg("+")
            .arg("COUNT")
            .arg(limit);
        let entries: Vec<(String, BTreeMap<String, Vec<u8>>)> = self.store.query(&read).await?;
        entries.into_iter().map(written).collect()
    }
}

/// What commits a snapshot that is staged, or that is sent along.
fn commit(save: &Save, staged: String, is_staged: bool) -> Invocation {
    let Save { id, head, .. } = save;
    let others = save.others.iter().copied().filter(|seq| *seq != head.seq);
    let mut others: Vec<u64> = others.collect();
    let text = |head: Head| format!("{} {}", head.seq, head.chain_text());
    let (mut kept, mut seen) = (None, String::new());
    let purpose = match save.purpose {
        Purpose::Begin => "begin",
        Purpose::Bound => {
            kept = (!others.is_empty()).then(|| others.remove(0));
            "bound"
        }
        Purpose::Rest => "rest",
        Purpose::Repair { seen: at } => {
            seen = at.map_or_else(|| " ".to_owned(), text);
            "repair"
        }
    };
    let first_entry = kept.unwrap_or(head.seq) + 1;
    let (size, image) = if is_staged {
        (save.image.len().to_string(), Vec::new())
    } else {
        (String::new(), save.image.to_vec())
    };
    let mut keys = vec![
        keys::meta(id),
        keys::journal(id),
        keys::snapshot(id, head.seq),
        staged,
    ];
    keys.extend(others.into_iter().map(|seq| keys::snapshot(id, seq)));
    Invocation {
        keys,
        args: vec![
            save.token.as_str().into(),
            purpose.into(),
            head.seq.to_string().into(),
            head.chain_text().into(),
            millis(save.expires_in).into(),
            size.into(),
            image,
            kept.map_or_else(String::new, |seq| seq.to_string()).into(),
            format!("{first_entry}-0").into(),
            seen.into(),
        ],
    }
}

fn written((id, mut fields): (String, BTreeMap<String, Vec<u8>>)) -> Result<Written, JournalError> {
    let chain = fields
        .remove("c")
        .and_then(|text| String::from_utf8(text).ok());
    let seq = id.strip_suffix("-0");
    let head = seq
        .zip(chain)
        .and_then(|(seq, chain)| Head::parse(seq, &chain));
    match (head, fields.remove("e")) {
        (Some(head), Some(entry)) => Ok(Written {
            head,
            entry: entry.into(),
        }),
        _ => Err(JournalError::Refused(format!("{id} is no entry"))),
    }
}

/// What a script says of an entry or a snapshot.
fn verdict<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Verdict, JournalError> {
    let mut words = words.into_iter();
    match [(); 4].map(|()| words.next()) {
        [Some("kept"), None, ..] => Ok(Verdict::Kept),
        [Some("fenced"), None, ..] => Ok(Verdict::Fenced),
        [Some("elsewhere"), Some(seq), Some(chain), None] => {
            Ok(Verdict::Elsewhere(Head::parse(seq, chain)))
        }
        [Some("incomplete"), None, ..] => Err(JournalError::Unavailable(
            "parts of the snapshot have vanished".to_owned(),
        )),
        other => Err(JournalError::Refused(format!(
            "a script answered {other:?}"
        ))),
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        if error.is_temporary() {
            Self::Unavailable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
