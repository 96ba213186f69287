//! The resources, one file for each.

pub(super) mod admin;
pub(super) mod bodies;
pub(super) mod bundles;
pub(super) mod forces;
pub(super) mod history;
pub(super) mod joints;
pub(super) mod listing;
pub(super) mod service;
pub(super) mod simulations;
pub(super) mod stepping;
