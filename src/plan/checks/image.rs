//! The images are there.

use std::collections::BTreeMap;

use super::refuse;
use crate::event::Refusal;
use crate::event::refusal::ImagesRefused;
use crate::plan::Digest;
use crate::request::image::ImageRef;

/// The first image that is not there.
pub(in crate::plan) fn missing_images(
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Result<(), Refusal> {
    for (container, image) in images {
        if let (Some(Digest::Missing(why)), Some(ecr)) = (digests.get(container), image.ecr()) {
            return refuse(ImagesRefused::ImageUnusable {
                image: image.to_string(),
                container: container.clone(),
                reason: why.clone(),
                account: ecr.account,
                region: ecr.region,
                repository: ecr.name,
            });
        }
    }
    Ok(())
}
