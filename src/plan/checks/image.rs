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
        let (why, has_repository) = match digests.get(container) {
            Some(Digest::Missing(why)) => (why, true),
            Some(Digest::NoRepository(why)) => (why, false),
            _ => continue,
        };
        if let Some(ecr) = image.ecr() {
            return refuse(ImagesRefused::ImageUnusable {
                image: image.to_string(),
                container: container.clone(),
                reason: why.clone(),
                account: ecr.account,
                region: ecr.region,
                repository: ecr.name,
                has_repository,
            });
        }
    }
    Ok(())
}
