//! The route table.

use axum::{
    Router,
    routing::{get, post},
};
use scalar_api_reference::axum as scalar;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    openapi::{self, Document},
    problem::Problem,
    problem_code::ProblemCode,
    routes::{
        admin, assets, bodies, bundles, capabilities, commands, controllers, events, forces,
        history, imports, inverse_kinematics, joints, listing, observation, queries, service,
        simulations, stepping,
    },
    state::AppState,
};

/// All routes of the service and the document that describes them.
pub(super) fn documented(needs_key: bool) -> (Router<AppState>, utoipa::openapi::OpenApi) {
    let (routes, mut document) = described();
    openapi::complete(&mut document, needs_key);
    (routes, document)
}

/// All routes, and what they say of themselves.
fn described() -> (Router<AppState>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(service::show_health))
        .routes(routes!(service::show_readiness))
        .routes(routes!(service::show_openapi))
        .routes(routes!(capabilities::show_capabilities))
        .routes(routes!(service::explain_problem))
        .routes(routes!(
            simulations::create_simulation,
            listing::list_simulations
        ))
        .routes(routes!(
            simulations::show_simulation,
            simulations::patch_simulation,
            simulations::destroy_simulation
        ))
        .routes(routes!(observation::show_state))
        .routes(routes!(observation::show_contacts))
        .routes(routes!(observation::show_energy))
        .routes(routes!(queries::answer_queries))
        .routes(routes!(simulations::keep_alive))
        .routes(routes!(events::list_events))
        .routes(routes!(assets::upload_asset, assets::download_asset))
        .routes(routes!(history::show_journal))
        .routes(routes!(bundles::show_bundle))
        .routes(routes!(history::verify_simulation))
        .routes(routes!(stepping::step))
        .routes(routes!(stepping::record_trajectory))
        .routes(routes!(commands::execute_batch))
        .routes(routes!(bodies::add_bodies, bodies::list_bodies))
        .routes(routes!(
            bodies::show_body,
            bodies::patch_body,
            bodies::remove_body
        ))
        .routes(routes!(forces::apply_impulse))
        .routes(routes!(forces::set_force, forces::clear_force))
        .routes(routes!(joints::add_joints, joints::list_joints))
        .routes(routes!(
            joints::show_joint,
            joints::patch_joint,
            joints::remove_joint
        ))
        .routes(routes!(imports::import))
        .routes(routes!(inverse_kinematics::reach))
        .routes(routes!(
            controllers::add_controllers,
            controllers::list_controllers
        ))
        .routes(routes!(
            controllers::show_controller,
            controllers::patch_controller,
            controllers::remove_controller
        ))
        .split_for_parts()
}

/// The routes, and what answers where there is none.
pub(super) fn router(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .fallback(async || Problem::new(ProblemCode::RouteNotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            let detail = "the route does not know this method, see Allow";
            Problem::new(ProblemCode::MethodNotAllowed, detail)
        })
        .with_state(state)
        .merge(documentation())
}

/// The routes for other instances: those of clients, what instances alone ask of each other, and
/// what their operators do.
pub(super) fn internal(routes: Router, state: AppState) -> Router {
    let own = Router::new()
        .route(listing::INTERNAL_PATH, get(listing::list_here))
        .route(admin::MOVE_PATH, post(admin::move_simulation));
    routes.merge(own.with_state(state))
}

/// A page that shows the document, complete without a network.
fn documentation() -> Router {
    let settings = serde_json::json!({
        "url": "/openapi.json",
        "withDefaultFonts": false,
        "telemetry": false,
        // What follows would lead to services elsewhere.
        "showDeveloperTools": "never",
        "hideClientButton": true,
        "agent": {"disabled": true},
        "mcp": {"disabled": true},
    });
    scalar::router("/docs", &settings)
}
