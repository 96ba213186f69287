//! What scripts answer, as the registry understands it.

use std::time::Duration;

use crate::{
    id::{SimulationId, Tenant},
    registry::{
        Claim, FencingToken, Head, Holding, Inheritance, Listed, Owner, Reasserted, RegistryError,
        Takeover, Touched, fields::JOURNAL,
    },
};

pub(super) fn claim(answer: &[String]) -> Result<Claim, RegistryError> {
    match words(answer)[..] {
        ["granted", token] => Ok(Claim::Granted(FencingToken::from_text(token))),
        ["taken", ref held @ ..] => Ok(Claim::Taken(holding(held)?)),
        _ => Err(nonsense(answer)),
    }
}

pub(super) fn takeover(answer: &[String]) -> Result<Takeover, RegistryError> {
    match words(answer)[..] {
        ["granted", token, ref fields @ ..] => Ok(Takeover::Granted(Inheritance {
            token: FencingToken::from_text(token),
            details: details(fields),
        })),
        ["changed"] => Ok(Takeover::Changed),
        _ => Err(nonsense(answer)),
    }
}

pub(super) fn reasserted(answer: &[String]) -> Result<Reasserted, RegistryError> {
    match words(answer)[..] {
        ["kept", token, seq, chain] => Ok(Reasserted::Kept(
            FencingToken::from_text(token),
            Head::parse(seq, chain),
        )),
        ["lost"] => Ok(Reasserted::Lost),
        _ => Err(nonsense(answer)),
    }
}

pub(super) fn touched(answer: &[String]) -> Result<Touched, RegistryError> {
    match words(answer)[..] {
        ["kept", seq, chain] => Ok(Touched::Kept(Head::parse(seq, chain))),
        ["missing"] => Ok(Touched::Missing),
        ["lost"] => Ok(Touched::Lost),
        _ => Err(nonsense(answer)),
    }
}

/// An entry whose fields are these, from its owner on.
pub(super) fn holding(held: &[&str]) -> Result<Holding, RegistryError> {
    let &[owner, token, tenant, durability, fault] = held else {
        return Err(RegistryError::Failed(format!("an entry has {held:?}")));
    };
    let malformed = || RegistryError::Failed(format!("an entry has the owner {owner:?}"));
    let is_resting = owner.is_empty();
    let owner = Owner::parse(owner);
    if owner.is_none() && !is_resting {
        return Err(malformed());
    }
    Ok(Holding {
        owner,
        token: FencingToken::from_text(token),
        tenant: Tenant::parse(tenant).ok(),
        is_journalled: durability == JOURNAL,
        fault: (!fault.is_empty()).then(|| fault.to_owned()),
    })
}

/// An entry as it is listed, unless it is of another simulation by that name than was looked for.
pub(super) fn listed(
    answer: &[String],
    id: &SimulationId,
    tenant: Option<&Tenant>,
    created: u64,
) -> Option<Listed> {
    let words = words(answer);
    let (left, fields) = words.split_first()?;
    let details = details(fields);
    let field = |name: &str| {
        let mut details = details.iter();
        details.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    };
    let is_it = field("durability") == Some(JOURNAL)
        && field("tenant") == tenant.map(Tenant::as_str)
        && field("created") == Some(&created.to_string());
    is_it.then(|| Listed {
        id: id.clone(),
        created,
        owner: field("owner").and_then(Owner::parse),
        expires_in: Duration::from_millis(left.parse().unwrap_or(0)),
        details: details.clone(),
    })
}

/// The fields of an entry, in the order of their names.
fn details(fields: &[&str]) -> Vec<(String, String)> {
    let pairs = fields.chunks_exact(2);
    let pairs = pairs.map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
    let mut details: Vec<_> = pairs.collect();
    details.sort_unstable();
    details
}

fn words(answer: &[String]) -> Vec<&str> {
    answer.iter().map(String::as_str).collect()
}

pub(super) fn nonsense(answer: &[String]) -> RegistryError {
    RegistryError::Failed(format!("a script answered {answer:?}"))
}
