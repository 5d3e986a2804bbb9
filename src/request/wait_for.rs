//! What the user waits for.

/// What the user waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum WaitFor {
    /// All tasks of the new revision run
    Running,
    /// They are healthy, and ECS has completed the deployment
    #[default]
    Healthy,
    /// The old targets have drained, too
    Drained,
    /// Nothing: ECS has been told
    #[value(skip)]
    Accepted,
    /// The first task of the new revision runs
    #[value(skip)]
    Started,
}
