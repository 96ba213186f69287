//! Problem documents: their members, and that every documented one can be met.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Instance, ground, sphere};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How a code comes about.
enum Provoked {
    /// By this test of this module, which names the code.
    By(&'static str, &'static str),
    /// Not by a request, and why.
    Elsewhere(&'static str),
}

use Provoked::{By, Elsewhere};

/// Every code of the contract.
const CODES: &[(&str, Provoked)] = &[
    (
        "malformed_json",
        By(
            "predecessor",
            "fault_10_nonsense_is_refused_and_leaves_no_trace",
        ),
    ),
    (
        "malformed_request",
        By(
            "bad_inputs",
            "rows_66_to_70_paths_with_other_ids_are_refused_and_inject_nothing",
        ),
    ),
    (
        "bad_idempotency_key",
        By(
            "bad_inputs",
            "rows_73_and_74_idempotency_keys_are_short_plain_and_single",
        ),
    ),
    (
        "unauthorized",
        By(
            "api_keys",
            "without_a_key_nothing_but_the_service_itself_answers",
        ),
    ),
    (
        "forbidden",
        By(
            "door/hops",
            "row_43_what_clients_say_of_hops_is_of_no_account",
        ),
    ),
    (
        "simulation_not_found",
        By("bad_inputs", "row_48_nothing_answers_after_a_delete"),
    ),
    (
        "simulation_expired",
        By(
            "lifetime",
            "a_simulation_expires_after_its_own_ttl_and_leaves_a_tombstone",
        ),
    ),
    (
        "simulation_lost",
        By(
            "ownership",
            "a_killed_owner_is_unreachable_then_its_simulations_are_lost_and_at_last_expired",
        ),
    ),
    (
        "body_not_found",
        By(
            "predecessor",
            "fault_11_a_trajectory_of_a_missing_body_moves_nothing",
        ),
    ),
    ("joint_not_found", By("joints", "a_removed_joint_lets_go")),
    (
        "controller_not_found",
        By(
            "controllers",
            "a_controller_is_added_read_changed_and_removed",
        ),
    ),
    (
        "asset_not_found",
        By("assets", "a_file_is_uploaded_once_and_read_as_it_was_sent"),
    ),
    (
        "route_not_found",
        By(
            "bad_inputs",
            "row_28_a_wrong_method_is_refused_with_the_right_ones",
        ),
    ),
    (
        "method_not_allowed",
        By(
            "bad_inputs",
            "row_28_a_wrong_method_is_refused_with_the_right_ones",
        ),
    ),
    (
        "not_acceptable",
        By(
            "bad_inputs",
            "row_42_a_client_that_wants_pictures_gets_json_or_a_refusal",
        ),
    ),
    (
        "request_timeout",
        By(
            "door/timers",
            "row_32_a_body_may_be_slow_and_may_not_go_on_for_ever",
        ),
    ),
    (
        "body_too_large",
        By(
            "bad_inputs",
            "row_37_a_body_over_the_cap_is_refused_before_it_is_read",
        ),
    ),
    (
        "uri_too_long",
        By(
            "door/heads",
            "rows_18_to_21_and_45_heads_that_are_too_large_are_refused",
        ),
    ),
    (
        "unsupported_media_type",
        By("bad_inputs", "rows_39_to_41_only_plain_json_is_read"),
    ),
    (
        "headers_too_large",
        By(
            "door/heads",
            "rows_18_to_21_and_45_heads_that_are_too_large_are_refused",
        ),
    ),
    (
        "simulation_exists",
        By(
            "simulations",
            "an_id_is_taken_until_its_simulation_is_destroyed",
        ),
    ),
    (
        "body_exists",
        By("bodies", "a_batch_of_bodies_is_taken_whole_or_not_at_all"),
    ),
    (
        "joint_exists",
        By("joints", "a_batch_of_joints_is_taken_whole_or_not_at_all"),
    ),
    (
        "controller_exists",
        By("controllers", "controllers_are_taken_whole_or_not_at_all"),
    ),
    (
        "idempotency_key_in_flight",
        By(
            "idempotency",
            "a_key_whose_command_still_runs_is_in_flight_and_then_answers",
        ),
    ),
    (
        "reply_not_kept",
        By(
            "idempotency",
            "old_replies_are_forgotten_but_never_applied_again",
        ),
    ),
    (
        "history_lost",
        By(
            "preconditions",
            "a_client_that_has_seen_more_or_something_else_is_told_so",
        ),
    ),
    (
        "history_diverged",
        By(
            "preconditions",
            "a_client_that_has_seen_more_or_something_else_is_told_so",
        ),
    ),
    (
        "not_journalled",
        By("history", "only_what_is_journalled_has_a_history"),
    ),
    (
        "precondition_failed",
        By(
            "preconditions",
            "of_commands_that_require_the_same_moment_one_is_carried_out",
        ),
    ),
    (
        "owned_elsewhere",
        By(
            "fleet",
            "who_forbids_forwarding_is_told_that_another_instance_has_the_simulation",
        ),
    ),
    (
        "invalid_value",
        By("bodies", "all_value_faults_of_a_body_are_named_at_once"),
    ),
    (
        "unknown_field",
        By("joints", "faulty_joints_are_refused_with_their_pointers"),
    ),
    (
        "limit_exceeded",
        By("overload", "limits_inside_a_simulation_name_themselves"),
    ),
    (
        "idempotency_key_reused",
        By(
            "idempotency",
            "a_key_belongs_to_one_request_of_one_simulation",
        ),
    ),
    (
        "simulation_busy",
        By("overload", "a_full_queue_refuses_at_once_and_names_itself"),
    ),
    (
        "quota_exceeded",
        By(
            "overload",
            "simulations_are_counted_and_freed_places_can_be_taken",
        ),
    ),
    (
        "engine_fault",
        Elsewhere("no request makes the engine panic; a unit test does"),
    ),
    (
        "nondeterminism_detected",
        By("history", "damage_to_a_journal_is_found_where_it_is"),
    ),
    (
        "internal",
        Elsewhere("no request is known that provokes it"),
    ),
    ("instance_draining", By("shutdown", "finishes_what_runs")),
    (
        "overloaded",
        By(
            "overload",
            "a_request_that_never_began_says_that_nothing_was_applied",
        ),
    ),
    (
        "outcome_unknown",
        By(
            "overload",
            "a_timeout_ends_the_waiting_and_never_the_command",
        ),
    ),
    (
        "registry_unavailable",
        By(
            "door/hops",
            "row_94_nobody_is_called_unknown_while_the_registry_is_out_of_reach",
        ),
    ),
    (
        "owner_unreachable",
        By(
            "ownership",
            "a_killed_owner_is_unreachable_then_its_simulations_are_lost_and_at_last_expired",
        ),
    ),
    (
        "ownership_lost",
        By(
            "ownership",
            "a_request_that_its_owner_slept_through_is_not_answered_from_a_world_that_was_lost",
        ),
    ),
];

#[test]
fn every_documented_code_is_provoked_by_a_test_and_every_provoked_one_documented() {
    let manual = std::fs::read_to_string(format!("{ROOT}/docs/problems.md"))
        .expect("docs/problems.md lists the codes");
    let documented: BTreeSet<_> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let known: BTreeSet<_> = CODES.iter().map(|(code, _)| *code).collect();

    assert_eq!(
        documented, known,
        "docs/problems.md and what tests provoke differ"
    );
    for (code, how) in CODES {
        match how {
            By(module, test) => {
                let source = std::fs::read_to_string(format!("{ROOT}/tests/service/{module}.rs"))
                    .expect("the module exists");
                let body = source
                    .split(&format!("fn {test}("))
                    .nth(1)
                    .unwrap_or_else(|| panic!("{module}::{test} does not exist"))
                    .split("#[tokio::test")
                    .next()
                    .unwrap_or("");
                assert!(
                    body.contains(&format!("\"{code}\"")),
                    "{module}::{test} never names `{code}`"
                );
            }
            Elsewhere(reason) => assert!(!reason.is_empty()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_names_the_simulation_and_the_path_it_is_about() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "s", "bodies": [ground("floor"), sphere("ball", 0.5, [0.0; 3])]}))
        .await;

    for (reply, path, sim) in [
        (
            client.state("nobody").await,
            "/simulations/nobody/state",
            json!("nobody"),
        ),
        (
            client.body("s", "nobody").await,
            "/simulations/s/bodies/nobody",
            json!("s"),
        ),
        (
            client.step_with("s", &json!({})).await,
            "/simulations/s/step",
            json!("s"),
        ),
        (
            client.post_text("/simulations/s/step", "{").await,
            "/simulations/s/step",
            json!("s"),
        ),
        (
            client.add_body("s", &ground("floor")).await,
            "/simulations/s/bodies",
            json!("s"),
        ),
        (
            client.create_simulation(&json!({"dt": 0})).await,
            "/simulations",
            Value::Null,
        ),
        (client.get("/nowhere").await, "/nowhere", Value::Null),
    ] {
        let problem = reply.problem();
        assert_eq!(problem.body["sim_id"], sim, "{}", problem.body);
        assert_eq!(problem.body["instance"], path, "{}", problem.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_type_and_name_come_with_their_pointer() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let bodies = format!("/simulations/{sim}/bodies");

    for (path, body, code, pointer) in [
        (
            "/simulations",
            json!({"dt": "fast"}),
            "invalid_value",
            "/dt",
        ),
        (
            "/simulations",
            json!({"gravity": [0, "down", 0]}),
            "invalid_value",
            "/gravity/1",
        ),
        (
            "/simulations",
            json!({"labels": {"a~b/c": 7}}),
            "invalid_value",
            "/labels/a~0b~1c",
        ),
        (
            "/simulations",
            json!({"speed": 1}),
            "unknown_field",
            "/speed",
        ),
        (
            "/simulations",
            json!({"bodies": [ground("a"), {"id": "b", "shape": "sphere", "size": [1], "mas": 1}]}),
            "unknown_field",
            "/bodies/1/mas",
        ),
        (
            "/simulations",
            json!({"joints": [{"id": "j", "joint_type": 7, "body_a": "a", "body_b": "b"}]}),
            "invalid_value",
            "/joints/0/joint_type",
        ),
        (
            bodies.as_str(),
            json!({"id": "b", "shape": "sphere", "size": ["1"]}),
            "invalid_value",
            "/size/0",
        ),
        (
            bodies.as_str(),
            json!({"id": "b", "shape": "sphere", "radius": "1"}),
            "invalid_value",
            "/radius",
        ),
        (
            bodies.as_str(),
            json!({"id": "b", "shape": "sphere", "radius": 1, "translation": [0, 0, 1e7]}),
            "invalid_value",
            "/position",
        ),
        (
            bodies.as_str(),
            json!([ground("a"), {"id": "b", "shape": "sphere", "radius": 1, "rotation": [0, 0, 0, 0]}]),
            "invalid_value",
            "/1/orientation",
        ),
        (
            bodies.as_str(),
            json!({"shape": "sphere", "radius": 1}),
            "invalid_value",
            "/id",
        ),
    ] {
        let problem = client.post(path, &body).await.expect_problem(422, code);
        let found = problem.pointers();
        assert!(
            found.iter().any(|found| found.starts_with(pointer)),
            "{body}: {pointer} not in {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_large_request_is_listed() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let bodies: Vec<_> = (0..30)
        .map(|n| json!({"id": format!("b{n}"), "shape": "sphere", "size": [1], "mass": -1}))
        .collect();

    let problem = client
        .create_simulation(&json!({"dt": 7, "bodies": bodies}))
        .await
        .expect_problem(422, "invalid_value");

    let expected: Vec<_> = (0..30)
        .map(|n| format!("/bodies/{n}/mass"))
        .chain(["/dt".to_owned()])
        .collect();
    problem.expect_pointers(&expected.iter().map(String::as_str).collect::<Vec<_>>());
}
