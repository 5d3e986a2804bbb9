//! Names this process for people who read its record: the CI run, or user@host.

/// The address of the CI run, else `user@host`; empty where neither is known.
pub(super) fn by(variable: impl Fn(&str) -> Option<String>) -> String {
    let get = |name: &str| variable(name).filter(|value| !value.is_empty());
    let github = || {
        let (server, repository) = (get("GITHUB_SERVER_URL")?, get("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", get("GITHUB_RUN_ID")?))
    };
    let person = || {
        let user = get("USER").or_else(|| get("LOGNAME"))?;
        Some(format!("{user}@{}", get("HOSTNAME").or_else(|| get("COMPUTERNAME"))?))
    };
    github().or_else(|| get("CIRCLE_BUILD_URL")).or_else(person).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> String {
        by(|name| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_ci_run_is_named_before_a_person() {
        let person = [("USER", "jane"), ("HOSTNAME", "laptop")];
        assert_eq!(told(&person), "jane@laptop");
        assert_eq!(
            told(&[("CIRCLE_BUILD_URL", "https://c/1"), person[0], person[1]]),
            "https://c/1"
        );
        let github = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "shop/web"),
            ("GITHUB_RUN_ID", "7"),
            ("CIRCLE_BUILD_URL", "https://c/1"),
        ];
        assert_eq!(told(&github), "https://github.com/shop/web/actions/runs/7");
        assert_eq!(told(&github[..2]), "");
        assert_eq!(told(&[("USER", "jane")]), "");
    }
}
