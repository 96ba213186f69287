//! Starts the service, and stops it when it is told to.

use std::process::ExitCode;

use rapier_physics_service::{
    app::{App, bind},
    config::Config,
    shutdown::stop_signal,
    telemetry,
};

/// Gives the memory of worlds that are gone back to the operating system, in the background.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let config = Config::try_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit());
    telemetry::start(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(config)));
    match served {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(%error, "the service cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> std::io::Result<bool> {
    let listeners = bind(&config)?;
    let app = App::start(config, listeners)?;
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
