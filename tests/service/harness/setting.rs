//! How long a test goes on, where the environment says so.

/// The number in this environment variable, or `default`.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the test, not of the service"
)]
pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(error) => panic!("{name} is {text:?}: {error}"),
    })
}
