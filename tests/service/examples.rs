//! The examples of the documents, run as their pages say against the real binary.

use std::process::Command;

use crate::harness::Instance;

const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/run.py");

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_answered_as_its_page_says() {
    let (is_right, output) = run(&[]).await;
    assert!(is_right, "{output}");
    assert!(output.contains("docs/examples/pendulum.md: "), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_says_something_else_fails() {
    let page = std::env::temp_dir().join(format!("examples-{}.md", std::process::id()));
    let text = "```console\n$ curl localhost:9000/ready\n{\"ready\":false,…}\n```\n";
    std::fs::write(&page, text).expect("the place for temporary files can be written to");

    let (is_right, output) = run(&[page.to_str().expect("the path is text")]).await;

    std::fs::remove_file(&page).expect("what was written can be removed");
    assert!(!is_right, "{output}");
    assert!(
        output.contains("differs after: { \"ready\" :"),
        "it tells where: {output}"
    );
}

/// Whether the pages are right, and what is said of them.
async fn run(pages: &[&str]) -> (bool, String) {
    let instance = Instance::spawn(&[]).await;
    let mut command = Command::new("python3");
    command
        .arg(RUNNER)
        .args(["--url", &format!("http://{}", instance.address())])
        .args(pages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output().expect("python3 starts"))
        .await
        .expect("waiting for a program does not panic");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
