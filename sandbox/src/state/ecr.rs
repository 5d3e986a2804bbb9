//! The repositories of Amazon ECR and their images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// The repositories of one region, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ecr(pub(crate) BTreeMap<String, Repository>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) created_at: Time,
    pub(crate) images: Vec<Stored>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) pushed_at: Time,
    pub(crate) archived: bool,
    pub(crate) manifest: String,
}
