//! SageMaker's endpoints: <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListEndpoints.html>.
//!
//! Law: what is listed is in service, and is called by its name. What can be asked of it the list does not say, nor is it guessed.

use proto::admin::VendorModel;
use serde_json::{Value, json};

use super::Page;
use super::card::{fitting, id, list, token};

/// By which AWS knows what is asked.
pub(super) const TARGET: &str = "SageMaker.ListEndpoints";

/// The body that asks for a page: the first, or the one of a token.
pub(super) fn question(after: Option<&str>) -> String {
    let mut asked = json!({"MaxResults": 100, "StatusEquals": "InService"});
    if let (Some(token), Some(fields)) = (after, asked.as_object_mut()) {
        fields.insert("NextToken".to_owned(), token.into());
    }
    asked.to_string()
}

/// Reads a page.
pub(super) fn read(page: &Value) -> Option<Page> {
    page.get("Endpoints")?.as_array()?;
    let models = list(page, "/Endpoints").iter().map(model).collect::<Option<Vec<_>>>()?;
    Some(Page { models, next: token(page, "NextToken").map(|token| question(Some(token))) })
}

fn model(entry: &Value) -> Option<VendorModel> {
    let arn = entry.get("EndpointArn").and_then(Value::as_str).unwrap_or_default();
    Some(VendorModel {
        id: id(entry.get("EndpointName"))?,
        regions: arn.split(':').nth(3).and_then(fitting).into_iter().collect(),
        ..VendorModel::default()
    })
}
