//! The service as its clients see it: real servers, real sockets, one binary.

mod harness;

mod api_keys;
mod backends;
mod bad_inputs;
mod bodies;
mod config;
mod determinism;
mod durability;
mod expiry;
mod fleet;
mod idempotency;
mod joints;
mod lifetime;
mod metrics;
mod openapi;
mod overload;
mod ownership;
mod packaging;
mod physics;
mod predecessor;
mod problems;
mod python_client;
mod redis_outage;
mod redis_servers;
mod settings;
mod shutdown;
mod simulations;
mod stepping;
mod suite;
mod topologies;
mod trajectory;
