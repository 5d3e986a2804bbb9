//! What a user would notice, tested through the command line: one binary, so that it links once.

#![expect(clippy::print_stdout, reason = "figures, for who runs the tests with --nocapture")]

mod before; // a task that must succeed before anything serves
mod chaos; // a random life from a seed, and pairs of deaths
mod clones; // a task definition with every member comes through byte for byte
mod credentials; // where credentials come from, and what is said when they do not
mod deployments; // single deployments: outcomes, counts of calls, reaction times
mod drift; // weights that no deployment wrote, and deployments without a record
mod drop_in; // silintl's flags, counted, and its policy
mod edits; // changes of the task definition beside its image
mod endpoints; // the real binary at an endpoint over HTTP
mod fate; // what happens to the calls of one process
mod faults; // what AWS and the network do to calls
mod forged; // records and twin tags that a stranger wrote
mod frozen; // an owner that stands still and wakes
mod gallery; // what happens beside a deployment, at every moment of it
mod given_up; // a deployment that ECS put back while nobody looked
mod invariants; // judged from the sandbox's journal; each is broken once on purpose
mod left_behind; // what fails after a revision was registered leaves nothing behind
mod listening; // `ecs-bg sandbox` as a process
mod lives; // how a process lives and dies in a simulation
mod oneoff; // tasks that no service keeps
mod overtaken;
mod permissions; // somebody else deploys to the side that comes up
mod rivals; // who drives a deployment: other processes, people, requests to stop
mod rolling; // services whose tasks ECS replaces
mod rooms; // which rooms use which, and which do no I/O
mod scenes; // what is deployed, where, and what must come of it
mod settings; // settings blocks are sent whole
mod simulation; // killed at every call, then run again
mod starts; // generated starts: hopeless ones, and ones that only wait
mod sweep; // many lives, on every core
mod tampered; // records that were edited, things that were deleted
mod tidy; // what the architecture says, read off the sources
mod transcripts; // tests/cmd/*.md and the README
