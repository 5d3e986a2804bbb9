//! Parts of Amazon Resource Names.

/// What stands last: `web:43` of a task definition's, a service's name, a task's id.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// `web` of a task definition's ARN, or of `web:43`; without a number, all of it.
pub fn family(arn: &str) -> &str {
    let name = short(arn);
    name.rsplit_once(':').map_or(name, |(family, _)| family)
}

/// `43` of a task definition's ARN, or of `web:43`.
pub fn number(arn: &str) -> Option<u64> {
    short(arn).rsplit_once(':')?.1.parse().ok()
}

/// The name in the ARN of a target group or a load balancer, before its id: `…:targetgroup/NAME/ID`.
pub fn name(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

/// The account and the region that an ARN names.
pub fn place(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next()?, parts.next()?);
    (!region.is_empty() && !account.is_empty()).then_some((account, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_where_aws_puts_them() {
        let arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:43";
        assert_eq!((short(arn), family(arn), number(arn)), ("web:43", "web", Some(43)));
        assert_eq!((family("web:43"), number("web:43")), ("web", Some(43)));
        assert_eq!((family("web"), number("web")), ("web", None));
        assert_eq!(place(arn), Some(("123456789012", "eu-central-1")));
        let group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web-a/0123";
        assert_eq!((name(group), name("web-a")), ("web-a", "web-a"));
    }
}
