//! A rule's action list as query parameters: reading the weights of its target groups and writing
//! others. ModifyRule and ModifyListener replace the whole list, so everything that is not a weight
//! of the pair (authentication, order, stickiness, members that nobody knows yet) stays as it came.

use std::collections::BTreeSet;

/// One action list, flattened: `("member.1.Type", "forward")`, …
pub type Actions = [(String, String)];

/// Blue's and green's target group for one container port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPair {
    /// ARN of blue's group.
    pub blue: String,
    /// ARN of green's group.
    pub green: String,
}

/// Whether a forward action names one of these groups.
pub fn holds<'a>(actions: &Actions, mut groups: impl Iterator<Item = &'a str>) -> bool {
    let named = weights(actions);
    groups.any(|group| named.iter().any(|(named, _)| named == group))
}

/// Weights of the target groups that the list's forward actions name, in their order.
pub fn weights(actions: &Actions) -> Vec<(String, u32)> {
    forwards(actions)
        .iter()
        .flat_map(|prefix| entries(actions, prefix))
        .map(|e| (e.group, e.weight))
        .collect()
}

/// Green's part of the weights in per mille; `None` when the rule forwards to no group of the
/// pairs, or gives them no weight at all.
pub fn green_per_mille(actions: &Actions, pairs: &[GroupPair]) -> Option<u32> {
    let weights = weights(actions);
    let sum = |is: &dyn Fn(&str) -> bool| -> u64 {
        weights.iter().filter(|(group, _)| is(group)).map(|(_, weight)| u64::from(*weight)).sum()
    };
    let blue = sum(&|group| pairs.iter().any(|pair| pair.blue == group));
    let green = sum(&|group| pairs.iter().any(|pair| pair.green == group));
    let total = blue + green;
    // Rounded, but never to an end that is not one.
    match (total, blue, green) {
        (0, ..) => None,
        (_, _, 0) => Some(0),
        (_, 0, _) => Some(1000),
        _ => u32::try_from((green * 1000 + total / 2) / total).ok().map(|p| p.clamp(1, 999)),
    }
}

/// Whether green stands in every forward in which blue stands, at whatever weight.
pub fn green_stands(actions: &Actions, pairs: &[GroupPair]) -> bool {
    forwards(actions).iter().all(|prefix| {
        let groups: BTreeSet<String> =
            entries(actions, prefix).into_iter().map(|e| e.group).collect();
        pairs.iter().all(|pair| !groups.contains(&pair.blue) || groups.contains(&pair.green))
    })
}

/// The list with green's share of each pair at `percent`. A missing green group is added behind
/// blue's. Weights are written out of 1000, the ends as 0 and 100: a load balancer takes 0 to 999
/// (API reference of TargetGroupTuple).
pub fn with_share(actions: &Actions, pairs: &[GroupPair], percent: u8) -> Vec<(String, String)> {
    let (blue, green) = match percent {
        0 => (100, 0),
        100 => (0, 100),
        percent => (1000 - 10 * u32::from(percent), 10 * u32::from(percent)),
    };
    edited(actions, pairs, |entries| {
        for pair in pairs {
            let holds = |group: &String| entries.iter().any(|entry| entry.group == *group);
            // Green's group alone is not ours to weigh: at weight 0 nobody would answer.
            if !holds(&pair.blue) || !holds(&pair.green) {
                continue;
            }
            for entry in entries.iter_mut() {
                if entry.group == pair.blue {
                    entry.weight = blue;
                } else if entry.group == pair.green {
                    entry.weight = green;
                }
            }
        }
    })
}

/// The list with green's group beside blue's at weight 0 where it is missing; blue keeps its weight.
pub fn with_green(actions: &Actions, pairs: &[GroupPair]) -> Vec<(String, String)> {
    edited(actions, pairs, |_| {})
}

/// The list without green's group.
pub fn without_green(actions: &Actions, pairs: &[GroupPair]) -> Vec<(String, String)> {
    edited(actions, pairs, |entries| {
        entries.retain(|entry| !pairs.iter().any(|pair| pair.green == entry.group));
    })
}

/// One `TargetGroups` entry of a forward action.
struct Entry {
    group: String,
    weight: u32,
    /// Members of the entry that we do not know.
    rest: Vec<(String, String)>,
}

/// Prefixes (`member.2.`) of the forward actions.
fn forwards(actions: &Actions) -> Vec<String> {
    actions
        .iter()
        .filter(|(_, value)| value == "forward")
        .filter_map(|(key, _)| key.strip_suffix("Type"))
        .filter(|prefix| prefix.matches('.').count() == 2)
        .map(str::to_owned)
        .collect()
}

fn entries(actions: &Actions, prefix: &str) -> Vec<Entry> {
    let list = format!("{prefix}ForwardConfig.TargetGroups.member.");
    let mut entries: Vec<(&str, Entry)> = Vec::new();
    for (key, value) in actions {
        let Some((number, member)) = key.strip_prefix(&list).and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        if entries.last().is_none_or(|(last, _)| *last != number) {
            // A group without a weight has weight 1 (ELB user guide, forward actions).
            entries.push((number, Entry { group: String::new(), weight: 1, rest: Vec::new() }));
        }
        let Some((_, entry)) = entries.last_mut() else { continue };
        match member {
            "TargetGroupArn" => entry.group = value.clone(),
            "Weight" => entry.weight = value.parse().unwrap_or(1),
            _ => entry.rest.push((member.to_owned(), value.clone())),
        }
    }
    if entries.is_empty() {
        // The short form: one group, no weights.
        let scalar = format!("{prefix}TargetGroupArn");
        return actions
            .iter()
            .filter(|(key, _)| *key == scalar)
            .map(|(_, group)| Entry { group: group.clone(), weight: 1, rest: Vec::new() })
            .collect();
    }
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn edited(
    actions: &Actions,
    pairs: &[GroupPair],
    edit: impl Fn(&mut Vec<Entry>),
) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = actions.to_vec();
    for prefix in forwards(actions) {
        let mut groups = entries(actions, &prefix);
        let ours = |group: &str| pairs.iter().any(|pair| pair.blue == group || pair.green == group);
        if !groups.iter().any(|entry| ours(&entry.group)) {
            continue;
        }
        for pair in pairs {
            let at = groups.iter().position(|entry| entry.group == pair.blue);
            if let Some(at) = at.filter(|_| !groups.iter().any(|entry| entry.group == pair.green)) {
                groups.insert(
                    at + 1,
                    Entry { group: pair.green.clone(), weight: 0, rest: Vec::new() },
                );
            }
        }
        edit(&mut groups);
        // The short form may stand beside the list only when the list has this one group.
        let scalar = format!("{prefix}TargetGroupArn");
        let config = format!("{prefix}ForwardConfig.TargetGroups.");
        list.retain(|(key, _)| *key != scalar && !key.starts_with(&config));
        for (index, entry) in groups.into_iter().enumerate() {
            let member = format!("{config}member.{}.", index + 1);
            list.push((format!("{member}TargetGroupArn"), entry.group));
            list.push((format!("{member}Weight"), entry.weight.to_string()));
            list.extend(
                entry.rest.into_iter().map(|(key, value)| (format!("{member}{key}"), value)),
            );
        }
    }
    // A client secret is never read back; this keeps the one that is there (API reference of
    // AuthenticateOidcActionConfig).
    let oidc: Vec<String> = list
        .iter()
        .filter_map(|(key, _)| key.strip_suffix("AuthenticateOidcConfig.Issuer").map(str::to_owned))
        .map(|prefix| format!("{prefix}AuthenticateOidcConfig.UseExistingClientSecret"))
        .collect();
    for key in oidc {
        list.retain(|(other, _)| *other != key);
        list.push((key, "true".into()));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<(String, String)> {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(k, v)| (k.into(), v.into()))
            .collect()
    }

    fn pairs() -> Vec<GroupPair> {
        vec![GroupPair { blue: "a".into(), green: "b".into() }]
    }

    const FORWARD: &str =
        "member.1.Type=authenticate-oidc member.1.Order=1 member.1.AuthenticateOidcConfig.Issuer=i
        member.2.Type=forward member.2.Order=2
        member.2.ForwardConfig.TargetGroups.member.1.TargetGroupArn=a
        member.2.ForwardConfig.TargetGroups.member.1.Weight=100
        member.2.ForwardConfig.TargetGroups.member.1.Knob=x
        member.2.ForwardConfig.TargetGroups.member.2.TargetGroupArn=b
        member.2.ForwardConfig.TargetGroups.member.2.Weight=0
        member.2.ForwardConfig.TargetGroupStickinessConfig.Enabled=false";

    fn get<'a>(list: &'a Actions, key: &str) -> Option<&'a str> {
        list.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    #[test]
    fn a_share_is_written_into_the_whole_list() {
        let before = list(FORWARD);
        assert_eq!(green_per_mille(&before, &pairs()), Some(0));
        for (percent, blue, green) in
            [(0, 100, 0), (1, 990, 10), (25, 750, 250), (99, 10, 990), (100, 0, 100)]
        {
            let after = with_share(&before, &pairs(), percent);
            assert_eq!(weights(&after), [("a".into(), blue), ("b".into(), green)], "{percent}");
            assert_eq!(green_per_mille(&after, &pairs()), Some(u32::from(percent) * 10));
            assert_eq!(get(&after, "member.1.Type"), Some("authenticate-oidc"));
            assert_eq!(
                get(&after, "member.1.AuthenticateOidcConfig.UseExistingClientSecret"),
                Some("true")
            );
            assert_eq!(get(&after, "member.2.ForwardConfig.TargetGroups.member.1.Knob"), Some("x"));
            assert_eq!(
                get(&after, "member.2.ForwardConfig.TargetGroupStickinessConfig.Enabled"),
                Some("false")
            );
            assert_eq!(after.len(), before.len() + 1);
        }
    }

    #[test]
    fn a_missing_green_group_is_added_and_the_short_form_goes() {
        let short = list("member.1.Type=forward member.1.TargetGroupArn=a");
        assert!(!green_stands(&short, &pairs()));
        let after = with_green(&short, &pairs());
        assert!(green_stands(&after, &pairs()));
        assert_eq!(weights(&after), [("a".into(), 1), ("b".into(), 0)]);
        assert_eq!(get(&after, "member.1.TargetGroupArn"), None);
        assert_eq!(green_per_mille(&after, &pairs()), Some(0));
        assert_eq!(weights(&without_green(&after, &pairs())), [("a".into(), 1)]);
    }

    #[test]
    fn other_rules_and_other_groups_stay() {
        let other = list("member.1.Type=forward member.1.TargetGroupArn=z");
        assert_eq!(green_per_mille(&other, &pairs()), None);
        assert!(green_stands(&other, &pairs()));
        assert_eq!(with_share(&other, &pairs(), 50), other);
    }

    #[test]
    fn weights_never_add_up_to_nothing() {
        let preview = list("member.1.Type=forward member.1.TargetGroupArn=b");
        for percent in [0, 1, 50, 100] {
            let after = with_share(&preview, &pairs(), percent);
            assert_eq!(weights(&after), [("b".into(), 1)], "{percent}");
        }
        assert!(holds(&preview, ["b"].into_iter()) && !holds(&preview, ["a"].into_iter()));
    }

    #[test]
    fn weights_are_compared_normalised() {
        let odd = |blue: u32, green: u32| {
            let text = FORWARD
                .replace("1.Weight=100", &format!("1.Weight={blue}"))
                .replace("2.Weight=0", &format!("2.Weight={green}"));
            green_per_mille(&list(&text), &pairs())
        };
        assert_eq!(odd(3, 1), Some(250));
        assert_eq!(odd(999, 1), Some(1));
        assert_eq!(odd(0, 0), None);
        assert_eq!(odd(0, 7), Some(1000));
    }
}
