//! The registry and home of Rapier physics simulations, over HTTP.
//!
//! `http → simulations → {physics, registry, journal}`; see `docs/ARCHITECTURE.md`.

pub mod app;
pub mod assets;
pub mod clock;
pub mod config;
pub mod http;
pub mod id;
pub mod imports;
pub mod journal;
pub mod memory;
pub mod metrics;
pub mod physics;
pub mod redis_store;
pub mod registry;
pub mod shutdown;
pub mod simulations;
pub mod telemetry;

pub use self::{app::App, config::Config};
