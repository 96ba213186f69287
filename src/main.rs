//! Starts the service, and stops it when it is told to; or does something else instead.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use rapier_physics_service::{
    app::{App, bind},
    config::{Config, Task},
    shutdown::stop_signal,
    simulations::{BundleError, Lull, Stage, replay},
    telemetry,
};

/// How many files are open beside connections of clients: those to Redis, to other instances, and
/// what the runtime needs.
const FILES_BESIDE: u64 = 512;

/// Gives the memory of worlds that are gone back to the operating system, in the background.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let config = Config::try_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit());
    if let Some(Task::Replay { file, quiet }) = &config.task {
        return show_replay(file, *quiet).unwrap_or(ExitCode::FAILURE);
    }
    telemetry::start(&config);
    raise_file_limit(config.max_connections);
    let lull = Lull::default();
    let rest = lull.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(move || rest.take())
        .build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(config, lull)));
    match served {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(%error, "the service cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config, lull: Lull) -> io::Result<bool> {
    let listeners = bind(&config)?;
    let app = App::start(config, listeners, lull)?;
    let signal = stop_signal().await?;
    tracing::info!("{signal} received, draining");
    tokio::select! {
        finished = app.drain() => Ok(finished),
        signal = stop_signal() => {
            tracing::warn!("{} received again, stopping at once", signal?);
            Ok(false)
        }
    }
}

/// Has the process open as many files as it may: each connection is one.
fn raise_file_limit(max_connections: u32) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return;
    };
    tracing::info!("{files} files may be open");
    if files < u64::from(max_connections) + FILES_BESIDE {
        tracing::warn!(
            "MAX_CONNECTIONS is {max_connections}, but no more than {files} files may be open: raise the hard limit, or lower the setting"
        );
    }
}

/// Carries the commands of a bundle out again: 0 if each leads to where it led before, 1 with the
/// first one that does not, 2 for a file that is of no use.
fn show_replay(file: &Path, is_quiet: bool) -> io::Result<ExitCode> {
    let (mut out, mut complaints) = (io::stdout().lock(), io::stderr().lock());
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            writeln!(complaints, "{}: {error}", file.display())?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut shown = Ok(());
    let replayed = replay(
        &bytes,
        |Stage {
             seq,
             step,
             state_hash,
             ..
         }| {
            if !is_quiet && shown.is_ok() {
                shown = writeln!(out, "{seq} {step} {state_hash:016x}");
            }
        },
    );
    shown?;
    match replayed {
        Ok(Stage {
            seq,
            step,
            time,
            state_hash,
        }) => {
            writeln!(
                out,
                "seq={seq} step={step} time={time} state_hash={state_hash:016x}"
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(complaints, "{}: {error}", file.display())?;
            Ok(match error {
                BundleError::Diverged { .. } => ExitCode::from(1),
                BundleError::NoBundle | BundleError::Damaged | BundleError::OtherEngine { .. } => {
                    ExitCode::from(2)
                }
            })
        }
    }
}
