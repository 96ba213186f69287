//! The resources, one file for each.

pub(super) mod admin;
pub(super) mod assets;
pub(super) mod bodies;
pub(super) mod bundles;
pub(super) mod capabilities;
pub(super) mod commands;
pub(super) mod controllers;
pub(super) mod events;
pub(super) mod forces;
pub(super) mod history;
pub(super) mod imports;
pub(super) mod inverse_kinematics;
pub(super) mod joints;
pub(super) mod listing;
pub(super) mod observation;
pub(super) mod queries;
pub(super) mod service;
pub(super) mod simulations;
pub(super) mod stepping;
