//! Parts of Amazon Resource Names.

/// `family:revision` of a task definition's ARN.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
