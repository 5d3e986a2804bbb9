//! The images are there.

use std::collections::BTreeMap;

use super::refuse;
use crate::error::Refusal;
use crate::plan::Digest;
use crate::request::image::ImageRef;

/// The first image that is not there.
pub(in crate::plan) fn missing_images(
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Result<(), Refusal> {
    for (container, image) in images {
        if let (Some(Digest::Missing(why)), Some(ecr)) = (digests.get(container), image.ecr()) {
            return refuse(
                format!("image {image} for container {container} cannot be used: {why}"),
                format!(
                    "aws ecr list-images --registry-id {} --region {} --repository-name {}",
                    ecr.account, ecr.region, ecr.name
                ),
            );
        }
    }
    Ok(())
}
