//! A simulation as a file: another process comes to the same states, and another service goes on
//! with the same world.

use std::{collections::BTreeMap, process::Command, time::Duration};

use super::Checked;
use crate::{
    client::Crowd,
    harness::{Client, program},
    history::World,
    scribe::answered,
};

const BUNDLE: &str = "application/vnd.rapier-bundle";

pub(super) async fn check(
    crowd: &Crowd,
    alone: &Client,
    world: &World,
    patience: Duration,
    checked: &mut Checked,
) -> Result<(), String> {
    if world.notes().is_damaged {
        // The older of its snapshots may be the one.
        return Ok(());
    }
    let fenced: &[_] = &[("sim-consistency", "fenced")];
    let state = answered(crowd, world, ("/state", fenced), patience).await?;
    let bundle = answered(crowd, world, ("/bundle", &[("accept", BUNDLE)]), patience).await?;
    if state.status != 200 || bundle.status != 200 {
        return Err(format!("no bundle: {} {}", bundle.text(), state.text()));
    }
    let states = replay(bundle.body.clone()).await?;
    for answer in world.notes().kept() {
        let expected = states.get(&answer.seq);
        if let (Some(hash), Some(expected)) = (&answer.hash, expected)
            && hash != expected
        {
            let told = answer.told();
            return Err(format!("the replay of its bundle has {expected}: {told}"));
        }
    }
    let last = states.values().next_back().map(String::as_str);
    if last.is_some() && state.header("sim-state-hash") != last {
        return Err(format!("the replay of its bundle ends at {last:?}"));
    }
    drop(alone.destroy(&world.id).await);
    let call = alone.call("POST", format!("/simulations?id={}", world.id));
    let call = call.header("content-type", BUNDLE).bytes(bundle.body);
    let imported = call.send().await;
    let copy = alone.state(&world.id).await;
    if copy.body != state.body {
        return Err(format!(
            "its bundle becomes {} {}, and it is {}",
            imported.status,
            copy.text(),
            state.text()
        ));
    }
    checked.bundles += 1;
    Ok(())
}

/// The hash of each state that another process comes to, by the number of its command.
async fn replay(bundle: Vec<u8>) -> Result<BTreeMap<u64, String>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("bundle");
    std::fs::write(&path, bundle).map_err(|error| error.to_string())?;
    let mut command = Command::new(program());
    command.arg("replay").arg(path);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.map_err(|error| error.to_string())?;
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() != Some(0) {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the replay of its bundle fails: {complaint}"));
    }
    let states = said.lines().filter_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        match fields[..] {
            [seq, _, hash] => Some((seq.parse().ok()?, hash.to_owned())),
            _ => None,
        }
    });
    Ok(states.collect())
}
