//! What is wanted of the task definition, brought to the containers that it is for.

use std::collections::{BTreeMap, BTreeSet};

use super::clone::Changes;
use super::refusals;
use crate::error::Refusal;
use crate::model::revision::Revision;
use crate::request::edits::{Edits, Placed};
use crate::request::image::{ImageChange, ImageRef, resolve};

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// It is there, with this digest.
    Known(String),
    /// It is not there, or cannot be pulled.
    Missing(String),
    /// That cannot be told, and why.
    Unknown(String),
}

/// What is wanted of the task definition, brought to the containers that it is for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is cloned.
    pub base: Revision,
    /// Images by container; all of them, where a file says them.
    pub images: BTreeMap<String, ImageRef>,
    /// What else is changed.
    pub edits: Vec<Placed>,
}

impl Wanted {
    /// Brings what is wanted to the containers of `base`.
    pub fn of(base: Revision, images: &[ImageChange], edits: &Edits) -> Result<Self, Refusal> {
        let named = resolve(images, &base.containers)?;
        let placed = edits.place(&base, &named.keys().collect::<BTreeSet<_>>())?;
        let mut images = BTreeMap::new();
        if edits.file.is_some() {
            for (container, image) in &base.containers {
                let image = image.parse().map_err(|why| {
                    let what = format!("{}, container {container}: {why}", base.name);
                    Refusal::new(what, format!("--image {container}=REPOSITORY:TAG"))
                });
                if !named.contains_key(container) {
                    images.insert(container.clone(), image?);
                }
            }
        }
        images.extend(named);
        Ok(Self { base, images, edits: placed })
    }

    /// What the clone has that its original has not.
    pub fn changes(&self) -> Changes {
        let image =
            |(container, image): (&String, &ImageRef)| (container.clone(), image.to_string());
        Changes { images: self.images.iter().map(image).collect(), edits: self.edits.clone() }
    }

    /// An image that is not there would be found out by the first task; better now.
    pub fn check(&self, digests: &BTreeMap<String, Digest>) -> Result<(), Refusal> {
        refusals::missing_images(&self.images, digests)
    }

    /// A file has no revision's number.
    pub(super) fn is_from_file(&self) -> bool {
        self.base.arn.ends_with(":0")
    }
}
