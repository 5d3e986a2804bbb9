//! Quotas of Elastic Load Balancing that would be exceeded. Pure.

use crate::event::Quota;
use crate::model::arn::name;
use crate::model::quota::Quotas;

pub(super) const GROUPS: &str = "target-groups";
pub(super) const GROUPS_OF_BALANCER: &str = "target-groups-per-application-load-balancer";
pub(super) const RULES: &str = "rules-per-application-load-balancer";
pub(super) const TARGETS: &str = "targets-per-target-group";
pub(super) const TARGETS_OF_ALB: &str = "targets-per-application-load-balancer";
pub(super) const TARGETS_OF_NLB: &str = "targets-per-network-load-balancer";

/// A quota, if `resource` has `used` of what it counts and so many more are too many. What is not known is enough.
pub(super) fn exceeded(
    quotas: &Quotas,
    quota: &'static str,
    resource: &str,
    used: usize,
    more: usize,
) -> Option<Quota> {
    let max = *quotas.limits.get(quota)?;
    let resource = resource.to_owned();
    (more > 0 && used + more > max).then_some(Quota { quota, resource, used, more, max })
}

/// What keeps one more target group from being made and put behind a load balancer.
pub(super) fn for_group(quotas: &Quotas, region: &str, balancer: &str) -> Vec<Quota> {
    let of_balancer = quotas.groups_of.get(balancer).copied().filter(|_| is_application(balancer));
    let all = quotas.groups.and_then(|used| exceeded(quotas, GROUPS, region, used, 1));
    let own =
        of_balancer.and_then(|used| exceeded(quotas, GROUPS_OF_BALANCER, name(balancer), used, 1));
    all.into_iter().chain(own).collect()
}

/// What keeps one more rule from being made. `used`: the rules of the load balancer, its default rules not counted.
pub(super) fn for_rule(quotas: &Quotas, balancer: &str, used: usize) -> Option<Quota> {
    exceeded(quotas, RULES, name(balancer), used, 1).filter(|_| is_application(balancer))
}

pub(super) fn is_application(balancer: &str) -> bool {
    balancer.contains(":loadbalancer/app/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_that_fits_is_no_news() {
        let quotas =
            Quotas { limits: [(RULES.to_owned(), 100)].into_iter().collect(), ..Quotas::default() };
        let alb = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/shop/1";
        assert_eq!(for_rule(&quotas, alb, 99), None);
        let expected =
            Quota { quota: RULES, resource: "shop".to_owned(), used: 100, more: 1, max: 100 };
        assert_eq!(for_rule(&quotas, alb, 100), Some(expected));
        // It is no quota of Network Load Balancers, and what was not counted is not exceeded.
        assert_eq!(for_rule(&quotas, &alb.replace("/app/", "/net/"), 100), None);
        assert_eq!(for_group(&quotas, "eu-central-1", alb), []);
    }
}
