//! What is wanted of the task definition, brought to the containers that it is for.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::image;
use super::clone::{Changes, clone_request};
use crate::event::refusal::ImagesRefused;
use crate::event::{Refusal, Unchecked};
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
    /// Its repository is not there.
    NoRepository(String),
    /// That cannot be told, and why.
    Unknown(Unchecked),
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
    /// Values of variables are shown.
    pub show_env: bool,
}

impl Wanted {
    /// Brings what is wanted to the containers of `base`.
    pub fn of(base: Revision, images: &[ImageChange], edits: &Edits) -> Result<Self, Refusal> {
        no_placeholders(&base, images)?;
        let named = resolve(images, &base.containers).map_err(Refusal::new)?;
        let placed =
            edits.place(&base, &named.keys().collect::<BTreeSet<_>>()).map_err(Refusal::new)?;
        let mut images = BTreeMap::new();
        if edits.file.is_some() {
            for (container, image) in &base.containers {
                if named.contains_key(container) {
                    continue;
                }
                let Ok(read) = image.parse() else {
                    return Err(Refusal::new(ImagesRefused::NotAnImage {
                        revision: base.name.clone(),
                        container: container.clone(),
                        image: image.clone(),
                    }));
                };
                images.insert(container.clone(), read);
            }
        }
        images.extend(named);
        Ok(Self { base, images, edits: placed, show_env: edits.show_env })
    }

    /// The account that the definition is for: that of its ARN, else of its roles. A file's need not say.
    pub fn account(&self) -> Option<String> {
        self.base.account()
    }

    /// What the clone has that its original has not.
    pub fn changes(&self) -> Changes {
        let image =
            |(container, image): (&String, &ImageRef)| (container.clone(), image.to_string());
        let images = self.images.iter().map(image).collect();
        Changes { images, edits: self.edits.clone(), show_env: self.show_env }
    }

    /// An image that is not there would be found out by the first task; better now.
    pub fn check(&self, digests: &BTreeMap<String, Digest>) -> Result<(), Refusal> {
        image::missing_images(&self.images, digests)
    }

    /// AWS would not register it; better now.
    pub fn fits(&self) -> Result<(), Refusal> {
        super::fits::fits(self)
    }

    /// What AWS says of it if it refuses it, as AWS documents that. What AWS says of a revision that it has is no
    /// reason: it took that.
    pub(super) fn refused(&self, live: Option<&Revision>) -> Option<String> {
        let none = BTreeMap::new();
        let said = |raw: &str, changes: &Changes| {
            let body = clone_request(raw, changes, &none).ok()?;
            ecs_bg_sandbox::refused::task_definition(&body)
        };
        let why = said(&self.base.raw, &self.changes())?;
        let is_known = live.and_then(|live| said(&live.raw, &Changes::default()));
        (is_known.as_ref() != Some(&why)).then_some(why)
    }

    /// A file has no revision's number.
    pub(super) fn is_from_file(&self) -> bool {
        self.base.arn.ends_with(":0")
    }
}

/// A text such as `<IMAGE1_NAME>` stands where a build puts the image: a tag is for the images that there
/// are, and would leave it.
fn no_placeholders(base: &Revision, images: &[ImageChange]) -> Result<(), Refusal> {
    let is_given = |name: &str| {
        images.iter().any(|change| {
            matches!(change, ImageChange::Image { container: Some(own), .. } if own == name)
        })
    };
    let is_placeholder = |image: &str| image.starts_with('<') && image.ends_with('>');
    let left =
        base.containers.iter().find(|(name, image)| is_placeholder(image) && !is_given(name));
    match left {
        None => Ok(()),
        Some((container, image)) => Err(Refusal::new(ImagesRefused::Placeholder {
            revision: base.name.clone(),
            container: container.clone(),
            image: image.clone(),
        })),
    }
}
