//! Images that are not there. What matches no container is `request::misfit::ImageMisfit`.

use serde::Serialize;

/// An image that cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum ImagesRefused {
    /// It is not there, or cannot be pulled.
    ImageUnusable {
        /// It.
        image: String,
        /// The container that it is for.
        container: String,
        /// In ECR's words.
        reason: String,
        /// The registry's account.
        account: String,
        /// And its region.
        region: String,
        /// The repository.
        repository: String,
        /// Whether that is there.
        has_repository: bool,
    },
    /// A text of a file that is no image's name.
    NotAnImage {
        /// The file, or the revision.
        revision: String,
        /// The container.
        container: String,
        /// That text.
        image: String,
    },
    /// A placeholder of a file that nothing was put in the place of.
    Placeholder {
        /// The file, or the revision.
        revision: String,
        /// The container.
        container: String,
        /// `<IMAGE1_NAME>`
        image: String,
    },
    /// There is no such repository.
    NoRepository {
        /// Its name.
        repository: String,
        /// The registry's account.
        account: String,
        /// And its region.
        region: String,
    },
}
