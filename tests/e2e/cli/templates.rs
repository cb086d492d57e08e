//! A user template (`--template`).

use crate::cli::hostile::hostile_report;
use stand_ins::sandbox::{Ran, Sandbox, markdown};

fn render(template: &str) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("mine.md", template);
    let path = sandbox.path("mine.md");
    markdown(&hostile_report(), None, &["--template", path.to_str().unwrap()])
}

#[test]
fn user_template_has_the_same_values_and_escaping() {
    let ran = render(
        "{% for a in accounts %}{% for r in a.rows %}- {{ r.user }} {{ r.days }}\n{% endfor %}{% endfor %}",
    );
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("- `@octocat` 545\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("- `` `a` `` 545\n"), "{}", ran.stdout);
}

#[test]
fn user_template_can_include_built_in_templates() {
    let ran = render("# Ours\n{% include \"why.md.j2\" %}");
    assert!(ran.stdout.starts_with("# Ours\n<details>"), "{}", ran.stdout);
}

#[test]
fn text_of_a_user_template_cannot_be_a_link() {
    for user in ["https://evil.example/x", "www.evil.example", "_a_"] {
        let ran = render(&format!("{{{{ \"{user}\" | word }}}}"));
        assert_eq!(ran.code, 2, "{user}: {}", ran.stdout);
    }
}

#[test]
fn problems_are_reported_with_their_line() {
    for (template, expected) in [
        ("a\n{% for %}", "mine.md:2: "),
        ("a\n\n{{ counts.nonsense }}", "mine.md:3: "),
        ("{{ counts.errors | nofilter }}", "mine.md:1: "),
        ("{% include \"/etc/passwd\" %}", "mine.md:1: "),
        (
            "{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}",
            "takes too long",
        ),
        ("{{ \"@octocat\" | word }}", "accepts only letters, digits, spaces"),
    ] {
        let ran = render(template);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{template}");
        assert!(ran.stderr.contains(expected), "{template}: {}", ran.stderr);
        assert!(ran.stderr.contains("docs/template.md"), "{}", ran.stderr);
    }
}
