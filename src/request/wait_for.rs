//! What the user waits for.

/// What the user waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum WaitFor {
    /// All tasks of the new revision run
    Running,
    /// They are healthy, and ECS calls the deployment complete
    #[default]
    Healthy,
    /// And the targets of the old ones are gone
    Drained,
    /// Nothing: ECS has been told
    #[value(skip)]
    Accepted,
    /// The first task of the new revision runs
    #[value(skip)]
    Started,
}
