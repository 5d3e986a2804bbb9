//! What was asked for and does not fit the task definition that it is for, as facts. Their words are in
//! `render::words`.

use serde::Serialize;

/// An image or a tag that is for no container, or for none that can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum ImageMisfit {
    /// One container is given two images.
    TwoImages {
        /// It.
        container: String,
        /// The images.
        images: [String; 2],
    },
    /// The container that is named is not there.
    ImageForNoContainer {
        /// It.
        container: String,
        /// The image that it is to get.
        image: String,
        /// The containers that are there.
        containers: Vec<ContainerImage>,
    },
    /// No container uses the repository.
    RepositoryOfNoContainer {
        /// It.
        repository: String,
        /// The image that was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// The repository of a container that may be meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        meant: Option<String>,
        /// The tag that was asked for, where one can help.
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        /// The containers that are there.
        containers: Vec<ContainerImage>,
    },
    /// Several containers use the repository of an image.
    RepositoryOfSeveral {
        /// It.
        repository: String,
        /// The image.
        image: String,
        /// The containers that use it.
        of: Vec<String>,
        /// The containers that are there.
        containers: Vec<ContainerImage>,
    },
    /// What is named may be one of several repositories.
    AmbiguousRepository {
        /// What is named.
        name: String,
        /// The tag.
        tag: String,
        /// The first of the repositories.
        #[serde(skip_serializing_if = "Option::is_none")]
        meant: Option<String>,
        /// The containers that are there.
        containers: Vec<ContainerImage>,
    },
    /// A tag alone, and the containers use several repositories.
    SeveralRepositories {
        /// The tag.
        tag: String,
        /// The first of the repositories.
        #[serde(skip_serializing_if = "Option::is_none")]
        meant: Option<String>,
        /// The containers that are there.
        containers: Vec<ContainerImage>,
    },
}

/// A container and its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContainerImage {
    /// The container.
    pub container: String,
    /// Its image.
    pub image: String,
}

/// A change of the task definition that is for no container, or for none that can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum EditMisfit {
    /// The container that it names is not there.
    EditForNoContainer {
        /// It.
        container: String,
        /// The change.
        #[serde(flatten)]
        edit: EditName,
        /// The containers that are there.
        containers: Vec<String>,
    },
    /// Two changes of the same thing.
    EditTwice {
        /// The container; none: it is of the task.
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// The second one.
        #[serde(flatten)]
        edit: EditName,
    },
    /// It names no container, and there are several.
    EditForWhich {
        /// The change.
        #[serde(flatten)]
        edit: EditName,
        /// The containers that are there.
        containers: Vec<String>,
    },
    /// The container of `--before` is not there.
    BeforeForNoContainer {
        /// The task definition.
        revision: String,
        /// It.
        container: String,
        /// The containers that are there.
        containers: Vec<String>,
    },
}

/// A change, without what may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "edit", rename_all = "kebab-case")]
pub enum EditName {
    /// `--env`
    Env {
        /// The variable.
        variable: String,
    },
    /// `--secret`
    Secret {
        /// The variable.
        variable: String,
    },
    /// `--unset-env`
    Unset {
        /// The variable.
        variable: String,
    },
    /// `--cpu`
    Cpu {
        /// CPU units.
        units: u32,
    },
    /// `--memory`
    Memory {
        /// MiB.
        size: u32,
    },
    /// `--command`
    Command {
        /// It is the image's own.
        of_image: bool,
    },
}

impl EditName {
    /// The option, with a container: what to type.
    pub fn option(&self, container: &str) -> String {
        let at = match container {
            "" => String::new(),
            name => format!("{name}:"),
        };
        match self {
            Self::Env { variable } => format!("--env {at}{variable}=VALUE"),
            Self::Secret { variable } => format!("--secret {at}{variable}=ARN"),
            Self::Unset { variable } => format!("--unset-env {at}{variable}"),
            Self::Cpu { units } => format!("--cpu {at}{units}"),
            Self::Memory { size } => format!("--memory {at}{size}"),
            Self::Command { .. } => format!("--command '{at}COMMAND'"),
        }
    }

    /// The change, with its container.
    pub fn shown(&self, container: Option<&str>) -> String {
        let at = container.map_or(String::new(), |name| format!("{name}:"));
        match self {
            Self::Env { variable } => format!("{at}{variable}=***"),
            Self::Secret { variable } => format!("{at}{variable} from a secret"),
            Self::Unset { variable } => format!("{at}{variable} unset"),
            Self::Cpu { units } => format!("{at}cpu {units}"),
            Self::Memory { size } => format!("{at}memory {size}"),
            Self::Command { of_image: true } => format!("{at}command of the image"),
            Self::Command { of_image: false } => format!("{at}command ***"),
        }
    }
}
