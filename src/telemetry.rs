//! How the process tells what it does.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Begins to write log lines to standard output.
pub fn start(config: &Config) {
    let filter = EnvFilter::new(&config.rust_log);
    let ansi = std::io::stdout().is_terminal();
    let builder = fmt().with_env_filter(filter).with_ansi(ansi);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(panic = %panic, "a part of the service panicked and was stopped");
    }));
}
