//! What a user would notice, tested through the command line: one binary, so that it links once.

#![expect(clippy::print_stdout, reason = "figures, for who runs the tests with --nocapture")]

/// Of the enumerations one case in so many is tried here; `tests/sweeps` tries each.
const fn stride() -> usize {
    20
}

mod alarms; // an alarm that goes off rolls back
mod before; // a task that must succeed before anything serves
#[path = "../sweeps/cases/mod.rs"]
mod cases; // one in twenty of each enumeration
mod causes; // each cause has a scenario and a screen
mod clones; // a task definition with every member comes through byte for byte
mod credentials; // where credentials come from, and what is said when they do not
mod deployments; // single deployments: outcomes, counts of calls, reaction times
mod doctor; // what would make a deployment fail, before it starts
mod drift; // weights that no deployment wrote, and deployments without a record
mod drop_in; // silintl's flags, counted, and its policy
mod dying; // versions that fail after they served, and services that nothing answers for
mod edits; // changes of the task definition beside its image
mod endpoints; // the real binary at an endpoint over HTTP
mod environment; // variables that choose a sandbox, and the files that one writes
mod facts; // each renderer tells the same
mod files; // task definitions as people have them in files
mod fix_forward; // an old side that cannot run either
mod gates; // checks of the new version while it has traffic
mod github; // what a step of GitHub Actions shows
mod given_up; // a deployment that ECS put back while nobody looked
mod history; // the last deployments of a service
mod invariants; // each is broken once on purpose
mod kept; // a world that was kept is what a killed process leaves
mod kept_old; // an old side that runs on, and deployments that nobody drives
mod left_behind; // what fails after a revision was registered leaves nothing behind
mod listening; // `ecs-bg sandbox` as a process
mod names; // names and ARNs of clusters and services
mod native; // services whose traffic ECS shifts
mod native_gates; // checks where ECS shifts the traffic
mod oneoff; // tasks that no service keeps
mod output; // a reader that stalls
mod overtaken; // somebody else deploys to the side that comes up
mod pauses; // a share that pauses until somebody promotes it
mod permissions; // the table of permissions in the README
mod policy; // the least policy is enough, and not more
mod reasons; // small worlds of real reports, and the reasons that are told
mod rivals; // who drives a deployment: other processes, people, requests to stop
mod rolling; // services whose tasks ECS replaces
mod rooms; // which rooms use which, and which do no I/O
mod sanitise; // text from outside
mod scaling; // a pair that auto scaling scales
mod settings; // settings blocks are sent whole
mod setup; // a service made ready for ECS's own blue/green
mod signals; // requests to stop, in every wait
#[path = "../support/mod.rs"]
mod support; // shared with the sweeps
mod test_listener; // what tests see before users do
mod tidy; // what the architecture says, read off the sources
mod transcripts; // tests/cmd/*.md and the README
mod usage; // what is typed, and what stands in the environment
mod written_nowhere; // records, settings and weights that could not be written
