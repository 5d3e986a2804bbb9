//! What Application Auto Scaling knows of a service: its scalable target and its policies.

use serde::Serialize;
use serde_json::{Value, json};

/// What a scalable target suspends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Suspended {
    /// `DynamicScalingInSuspended`
    pub scale_in: bool,
    /// `DynamicScalingOutSuspended`
    pub scale_out: bool,
    /// `ScheduledScalingSuspended`
    pub scheduled: bool,
}

impl Suspended {
    /// Nothing scales.
    pub const ALL: Self = Self { scale_in: true, scale_out: true, scheduled: true };

    /// Whether anything is suspended.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// As the aws CLI takes it.
    pub fn argument(self) -> String {
        let Self { scale_in, scale_out, scheduled } = self;
        format!(
            "DynamicScalingInSuspended={scale_in},DynamicScalingOutSuspended={scale_out},\
             ScheduledScalingSuspended={scheduled}"
        )
    }
}

/// A scalable target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalable {
    /// The service's name.
    pub service: String,
    /// `MinCapacity`.
    pub min: u32,
    /// `MaxCapacity`.
    pub max: u32,
    /// `SuspendedState`.
    pub suspended: Suspended,
}

impl Scalable {
    /// Whether its limits say nothing of the service's own: those of the other side of a pair do. So is the side
    /// that a new version starts in, and the one that is left.
    pub fn is_bare(&self) -> bool {
        self.min == 0 && self.suspended.scale_in && self.suspended.scheduled
    }

    /// Whether nothing starts a task of this service: as the side of a pair is left that has no traffic.
    pub fn is_idle(&self) -> bool {
        self.min == 0 && self.suspended == Suspended::ALL
    }
}

/// A scaling policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The service's name.
    pub service: String,
    /// `PolicyName`.
    pub name: String,
    /// `PolicyType`.
    pub kind: String,
    /// Its configuration, as AWS wrote it.
    pub configuration: Value,
}

impl Policy {
    /// What two policies that do the same for two services have in common: the kind, the metric and the
    /// target value, or the steps. Names, and what only names the service, may differ.
    pub fn gist(&self) -> (String, Value) {
        let own = &self.configuration;
        let gist =
            match (&own["PredefinedMetricSpecification"], &own["CustomizedMetricSpecification"]) {
                _ if self.kind != "TargetTrackingScaling" => own.clone(),
                (Value::Null, Value::Null) => own.clone(),
                (Value::Null, custom) => {
                    json!([
                        custom["Namespace"],
                        custom["MetricName"],
                        custom["Statistic"],
                        own["TargetValue"].as_f64()
                    ])
                }
                (metric, _) => json!([metric["PredefinedMetricType"], own["TargetValue"].as_f64()]),
            };
        (self.kind.clone(), gist)
    }

    /// The target group that it counts the requests of: `app/NAME/ID/targetgroup/NAME/ID`.
    pub fn label(&self) -> Option<&str> {
        self.configuration["PredefinedMetricSpecification"]["ResourceLabel"].as_str()
    }

    /// Its configuration, for another target group.
    pub fn with_label(&self, label: &str) -> Value {
        let mut configuration = self.configuration.clone();
        if self.label().is_some() {
            configuration["PredefinedMetricSpecification"]["ResourceLabel"] = json!(label);
        }
        configuration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: &str, configuration: Value) -> Policy {
        Policy { service: "web".into(), name: "p".into(), kind: kind.into(), configuration }
    }

    #[test]
    fn policies_are_alike_that_do_the_same_for_their_service() {
        let requests = |label: &str, target: Value| {
            let metric =
                json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label});
            policy(
                "TargetTrackingScaling",
                json!({"TargetValue": target, "PredefinedMetricSpecification": metric}),
            )
        };
        let one = requests("app/shop/1/targetgroup/web-a/2", json!(100));
        assert_eq!(one.gist(), requests("app/shop/1/targetgroup/web-b/3", json!(100.0)).gist());
        assert_ne!(one.gist(), requests("app/shop/1/targetgroup/web-a/2", json!(90)).gist());
        let moved = requests("app/shop/1/targetgroup/web-b/3", json!(100)).configuration;
        assert_eq!(one.with_label("app/shop/1/targetgroup/web-b/3"), moved);
        let custom = |metric: &str, name: &str| {
            let dimensions = json!([{"Name": "ServiceName", "Value": name}]);
            let metric = json!({"Namespace": "shop", "MetricName": metric, "Statistic": "Sum", "Dimensions": dimensions});
            policy(
                "TargetTrackingScaling",
                json!({"TargetValue": 5, "CustomizedMetricSpecification": metric}),
            )
        };
        assert_eq!(custom("jobs", "web").gist(), custom("jobs", "web-green").gist());
        assert_ne!(custom("jobs", "web").gist(), custom("others", "web").gist());
        let steps = |by: u32| {
            policy("StepScaling", json!({"StepAdjustments": [{"ScalingAdjustment": by}]}))
        };
        assert_eq!(steps(1).gist(), steps(1).gist());
        assert_ne!(steps(1).gist(), steps(2).gist());
        assert_ne!(steps(1).gist(), one.gist());
    }

    #[test]
    fn a_side_is_idle_where_nothing_starts_a_task() {
        let target = |min, suspended| Scalable { service: "web".into(), min, max: 4, suspended };
        assert!(target(0, Suspended::ALL).is_idle());
        assert!(target(0, Suspended::ALL).is_bare());
        assert!(!target(1, Suspended::ALL).is_idle() && !target(1, Suspended::ALL).is_bare());
        for flag in 0..3 {
            let [scale_in, scale_out, scheduled] = [0, 1, 2].map(|own| own != flag);
            let other = target(0, Suspended { scale_in, scale_out, scheduled });
            // A side that may scale out only.
            assert_eq!((other.is_idle(), other.is_bare()), (false, flag == 1), "{flag}");
        }
    }
}
