//! The words of silintl's `ecs-deploy` 3.10: which flags there are, which go together, and with which
//! message and exit code they do not. Looks at nothing but the words.

use crate::request::names::cluster_of;

/// What was typed. Names are silintl's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) access_key: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) instance_profile: bool,
    pub(super) assume_role: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) service: Option<String>,
    pub(super) task_definition: Option<String>,
    pub(super) image: Option<String>,
    pub(super) desired_count: Option<u32>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) timeout: u64,
    pub(super) tag_env_var: Option<String>,
    pub(super) tag_only: Option<String>,
    pub(super) max_definitions: u32,
    pub(super) task_definition_file: Option<String>,
    pub(super) enable_rollback: bool,
    pub(super) use_latest: bool,
    pub(super) force: bool,
    pub(super) skip_check: bool,
    pub(super) run_task: bool,
    pub(super) wait_for_success: bool,
    pub(super) launch_type: Option<String>,
    pub(super) platform_version: Option<String>,
    pub(super) network: Option<String>,
    pub(super) copy_tags: bool,
    pub(super) verbose: bool,
    pub(super) version: bool,
}

/// Why nothing is done: an exit code, and what silintl's tool says with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The usage text, exit code 3.
    Usage(String),
    /// A message of its own.
    Message(u8, String),
}

/// Seconds that each phase may take, unless `-t` says otherwise.
const TIMEOUT: u64 = 90;
/// Exit code of what silintl's tool found out too late, or never.
const NEW: u8 = 20;

impl Flags {
    /// Reads the words. An empty flag is skipped; an empty value is none; the last one of its kind wins.
    pub(super) fn read(words: &[String]) -> Result<Self, Wrong> {
        let mut flags = Self { timeout: TIMEOUT, ..Self::default() };
        let mut raw = Numbers::default();
        if words.iter().all(String::is_empty) {
            return Err(Wrong::Usage(String::new()));
        }
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.is_empty() || flags.switch(word) {
                continue;
            }
            let slot = match flags.valued(word, &mut raw) {
                Some(slot) => slot,
                None => return Err(Wrong::Usage(format!("{word} is no flag of ecs-deploy"))),
            };
            match words.next() {
                Some(value) => *slot = Some(value.clone()).filter(|value| !value.is_empty()),
                None => return Err(Wrong::Usage(format!("{word} needs a value"))),
            }
        }
        if !flags.version {
            flags.check(&raw)?;
        }
        raw.into(&mut flags)?;
        Ok(flags)
    }

    fn switch(&mut self, word: &str) -> bool {
        let switch = match word {
            "--aws-instance-profile" => &mut self.instance_profile,
            "--enable-rollback" => &mut self.enable_rollback,
            "--use-latest-task-def" => &mut self.use_latest,
            "--force-new-deployment" => &mut self.force,
            "--skip-deployments-check" => &mut self.skip_check,
            "--run-task" => &mut self.run_task,
            "--wait-for-success" => &mut self.wait_for_success,
            "--copy-task-definition-tags" => &mut self.copy_tags,
            "-v" | "--verbose" => &mut self.verbose,
            "--version" => &mut self.version,
            _ => return false,
        };
        *switch = true;
        true
    }

    fn valued<'a>(
        &'a mut self,
        word: &str,
        raw: &'a mut Numbers,
    ) -> Option<&'a mut Option<String>> {
        Some(match word {
            "-k" | "--aws-access-key" => &mut self.access_key,
            "-s" | "--aws-secret-key" => &mut self.secret_key,
            "-r" | "--region" => &mut self.region,
            "-p" | "--profile" => &mut self.profile,
            "-a" | "--aws-assume-role" => &mut self.assume_role,
            "-c" | "--cluster" => &mut self.cluster,
            "-n" | "--service-name" => &mut self.service,
            "-d" | "--task-definition" => &mut self.task_definition,
            "-i" | "--image" => &mut self.image,
            "-D" | "--desired-count" => &mut raw.desired_count,
            "-m" | "--min" => &mut raw.min,
            "-M" | "--max" => &mut raw.max,
            "-t" | "--timeout" => &mut raw.timeout,
            "-e" | "--tag-env-var" => &mut self.tag_env_var,
            "-to" | "--tag-only" => &mut self.tag_only,
            "--max-definitions" => &mut raw.max_definitions,
            "--task-definition-file" => &mut self.task_definition_file,
            "--launch-type" => &mut self.launch_type,
            "--platform-version" => &mut self.platform_version,
            "--network-configuration" => &mut self.network,
            _ => return None,
        })
    }

    /// What goes together, in the order in which silintl's tool looks.
    fn check(&mut self, raw: &Numbers) -> Result<(), Wrong> {
        let wrong = |code, text: &str| Err(Wrong::Message(code, text.to_owned()));
        match (&self.service, &self.task_definition) {
            (None, None) => {
                return wrong(
                    5,
                    "One of SERVICE or TASK DEFINITION is required. You can pass the value using -n / --service-name for a service, or -d / --task-definition for a task",
                );
            }
            (Some(_), Some(_)) => {
                return wrong(
                    6,
                    "Only one of SERVICE or TASK DEFINITION may be specified, but you supplied both",
                );
            }
            _ => {}
        }
        // A service may be named with its cluster.
        if self.cluster.is_none() {
            let own = self.service.as_deref().and_then(cluster_of).map(str::to_owned);
            self.cluster = own;
        }
        if self.service.is_some() && self.cluster.is_none() {
            return wrong(7, "CLUSTER is required. You can pass the value using -c or --cluster");
        }
        if self.image.is_none() && !self.force {
            return wrong(8, "IMAGE is required. You can pass the value using -i or --image");
        }
        if raw.max_definitions.as_ref().is_some_and(|text| text.parse::<i64>().is_err()) {
            return wrong(9, "MAX_DEFINITIONS must be numeric, or not defined.");
        }
        let without = |flag: &str| {
            format!(
                "{flag} requires setting RUN TASK argument. You can set it using --run-task flag."
            )
        };
        if !self.run_task && self.launch_type.is_some() {
            return wrong(10, &without("LAUNCH TYPE"));
        }
        if !self.run_task && self.network.is_some() {
            return wrong(11, &without("NETWORK CONFIGURATION"));
        }
        if !self.run_task && self.wait_for_success {
            return wrong(11, &without("WAIT FOR SUCCESS"));
        }
        if !self.run_task && self.platform_version.is_some() {
            return wrong(12, &without("PLATFORM VERSION"));
        }
        // A run task needs a cluster too; without one silintl's tool asks for the cluster `false`.
        if self.run_task && self.task_definition.is_some() && self.cluster.is_none() {
            return wrong(7, "CLUSTER is required. You can pass the value using -c or --cluster");
        }
        Ok(())
    }
}

/// Numbers as they were typed.
#[derive(Default)]
struct Numbers {
    desired_count: Option<String>,
    min: Option<String>,
    max: Option<String>,
    timeout: Option<String>,
    max_definitions: Option<String>,
}

impl Numbers {
    fn into(self, flags: &mut Flags) -> Result<(), Wrong> {
        let number = |name: &str, text: Option<String>| {
            let Some(text) = text else { return Ok(None) };
            match text.parse::<u32>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Wrong::Message(
                    NEW,
                    format!("{name} must be a whole number, and is `{text}`."),
                )),
            }
        };
        flags.desired_count = number("DESIRED COUNT", self.desired_count)?;
        flags.min = number("MIN", self.min)?;
        flags.max = number("MAX", self.max)?;
        flags.timeout = number("TIMEOUT", self.timeout)?.map_or(TIMEOUT, u64::from);
        // A negative number is as good as none.
        let most = self.max_definitions.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        flags.max_definitions = u32::try_from(most).unwrap_or(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Flags, Wrong> {
        Flags::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn code(line: &str) -> u8 {
        match read(line) {
            Ok(_) => 0,
            Err(Wrong::Usage(_)) => 3,
            Err(Wrong::Message(code, _)) => code,
        }
    }

    #[test]
    fn an_empty_word_is_the_value_of_the_flag_before_it_and_else_nothing() {
        for flag in ["-e", "-p", "-to", "-a", "--task-definition-file"] {
            let flags = read(&format!("-c c -n web -i a:1 {flag}  --enable-rollback")).unwrap();
            assert!(flags.enable_rollback, "{flag}");
        }
        let flags = read("-c c -n web -i a:1 -e  -p  -to  -a  -t  -D ").unwrap();
        assert_eq!((flags.tag_env_var, flags.profile, flags.tag_only), (None, None, None));
        assert_eq!((flags.assume_role, flags.timeout, flags.desired_count), (None, 90, None));
        assert_eq!(read("-c  -n web -i a"), Err(wrong_cluster()));
        assert_eq!(read("-c one -n web -i a -c "), Err(wrong_cluster()), "the last one counts");
    }

    fn wrong_cluster() -> Wrong {
        let text = "CLUSTER is required. You can pass the value using -c or --cluster";
        Wrong::Message(7, text.to_owned())
    }

    #[test]
    fn the_last_one_wins_and_empty_flags_are_nothing() {
        let flags = read("-c one -n web  -i a  -c two").unwrap();
        assert_eq!(flags.cluster.as_deref(), Some("two"));
        assert_eq!((flags.timeout, flags.desired_count), (90, None));
    }

    #[test]
    fn each_mistake_has_its_code_and_the_first_one_counts() {
        for (line, wanted) in [
            ("", 3),
            ("-x", 3),
            ("-c c -n s -i", 3),
            ("-c c -n s --image=i", 3),
            ("-i i", 5),
            ("-n s -d t -i i", 6),
            ("-n s -i i", 7),
            ("-c c -n s", 8),
            ("-c c -n s --force-new-deployment", 0),
            ("-c c -n s -to 2", 8),
            ("-c c -n s -i i --max-definitions many", 9),
            ("-c c -n s -i i --max-definitions -3", 0),
            ("-c c -n s -i i --launch-type FARGATE", 10),
            ("-c c -n s -i i --network-configuration x --wait-for-success", 11),
            ("-c c -n s -i i --wait-for-success", 11),
            ("-c c -n s -i i --platform-version 1.4.0", 12),
            ("-c c -n s -i i -t soon", 20),
            ("-c c -n s -i i -D 1.5", 20),
            ("-d t -i i --run-task", 7),
            ("-d t -i i", 0),
            ("--version", 0),
        ] {
            assert_eq!(code(line), wanted, "{line}");
        }
    }
}
