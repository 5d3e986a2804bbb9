//! The README's table of permissions and the calls that are made.

use std::collections::BTreeSet;
use std::fs;

use ecs_bg::call::Call;

/// The actions in the first column of the table.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string("README.md").expect("the README");
    let (_, table) = text.split_once("| permission | for |\n").expect("a table of permissions");
    let rows = table.lines().skip(1).map_while(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split_once(" | "));
    cells.flat_map(|(cell, _)| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

fn covers(documented: &str, action: &str) -> bool {
    match documented.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => documented == action,
    }
}

#[test]
fn the_readme_names_each_permission_that_a_call_needs_and_no_other() {
    let documented = documented();
    let needed: BTreeSet<&str> =
        Call::all().flat_map(|call| call.info().actions).copied().collect();
    for action in &needed {
        assert!(documented.iter().any(|known| covers(known, action)), "README lacks {action}");
    }
    for known in &documented {
        assert!(needed.iter().any(|action| covers(known, action)), "no call needs {known}");
    }
}

#[test]
fn an_operation_is_named_in_one_place() {
    // Elsewhere a call is a `Call`: no text is searched for its name.
    let sources = ["src/aws", "src/drive", "src/ops", "src/cli", "src/plan", "src/route"];
    for folder in sources {
        for entry in fs::read_dir(folder).expect(folder) {
            let path = entry.expect("an entry").path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for call in Call::all() {
                let searched = format!("contains(\"{}\"", call.operation());
                assert!(!text.contains(&searched), "{}: {searched}", path.display());
            }
        }
    }
}
