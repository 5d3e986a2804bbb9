//! Pages of lists: the token of the next page names the last item of this one, so that a list may
//! change between two pages.

use serde_json::{Map, Value, json};

use crate::protocol::{
    Fault,
    json::{Answer, Request, raw},
};

/// One page of `items`, as the member `name`; `most` is the page size unless the request says less.
pub(super) fn page(request: &Request<'_>, items: Vec<String>, most: usize, name: &str) -> Answer {
    page_of(request, items, most, name, |item| json!(item))
}

/// The same, for items that are shown as more than their names.
pub(super) fn page_of(
    request: &Request<'_>,
    items: Vec<String>,
    most: usize,
    name: &str,
    show: impl Fn(&str) -> Value,
) -> Answer {
    let size = match request.int_of("maxResults") {
        None => most,
        Some(size @ 1..=100) => usize::try_from(size).unwrap_or(most),
        Some(_) => return Err(Fault::parameter("maxResults should be between 1 and 100.")),
    };
    let start = match request.text_of("nextToken") {
        None => 0,
        Some(token) => {
            let position = items.iter().position(|item| crate::ids::Ids::of(item).hex(48) == token);
            1 + position.ok_or_else(|| Fault::parameter("Invalid token."))?
        }
    };
    let page: Vec<&String> = items.iter().skip(start).take(size).collect();
    let mut answer = Map::new();
    if start + page.len() < items.len()
        && let Some(last) = page.last()
    {
        answer.insert("nextToken".into(), json!(crate::ids::Ids::of(last).hex(48)));
    }
    answer.insert(name.into(), page.into_iter().map(|item| show(item)).collect());
    Ok(raw(&Value::Object(answer)))
}
