//! Any template.

use policy_engine::facts::template::*;

use super::*;

/// One that can be written and read.
pub(super) fn template() -> impl Strategy<Value = Template> {
    let draft = |shape: Shape, text: &str| Draft { text: text.to_owned(), shape };
    let gap = |slot| Shape::Gap(Gap { slot, otherwise: None });
    let of_one = |shape| Shape::Object(vec![("p".to_owned(), shape)]);
    let bodies = [
        draft(of_one(gap(Slot::Prompt)), r#"{"p": "${prompt}"}"#),
        draft(of_one(gap(Slot::Messages)), r#"{ "p" : "${messages}" }"#),
        draft(
            Shape::List(vec![gap(Slot::Transcript), Shape::Number("1.5".to_owned())]),
            r#"["${transcript}",1.5]"#,
        ),
    ];
    let pointer =
        || "(/[a-z~/]{0,4}){1,3}".prop_filter_map("no pointer", |text| text.parse::<Pointer>().ok());
    let told = move || {
        (pointer(), of(pointer()), of((pointer(), pointer())), of(pointer()))
            .prop_map(|(text, finish, tokens, error)| Told { text, finish, tokens, error, ..Told::default() })
    };
    let framing = select(StreamFraming::ALL);
    let path = || "/[a-z]{1,6}".prop_map(|text: String| text.parse::<Path>().unwrap());
    let stream = (of(path()), framing, told(), "[A-Z]{0,6}")
        .prop_map(|(path, framing, told, done)| Streamed { path, framing, told, done });
    let endings = btree_map("[a-z_]{1,8}", select(Ending::ALL), 0..3);
    let headers = btree_map("x-h[a-z]{1,8}-of", "[ -~]{0,12}", 0..3);
    let roles =
        prop_oneof![Just(Roles::default()), "[A-Z]{1,8}".prop_map(|user| Roles { user, ..Roles::default() })];
    let ask =
        (of(path()), headers, roles, select(bodies.to_vec()), subsequence(Omission::ALL.to_vec(), 0..4))
            .prop_map(|(path, headers, roles, body, leave_out)| Ask {
                path: path.unwrap_or_default(),
                headers,
                credential_header: String::new(),
                body: Some(body),
                message: None,
                roles,
                leave_out,
            });
    let vectors = (of(path()), pointer(), pointer(), of(pointer()), of(pointer())).prop_map(
        move |(path, vectors, vector, tokens, error)| Embed {
            path: path.unwrap_or_default(),
            body: draft(of_one(gap(Slot::Inputs)), r#"{"p": "${inputs}"}"#),
            vectors,
            vector,
            tokens,
            error,
        },
    );
    (ask, told(), endings, of(pointer()), of(stream), of(vectors)).prop_map(
        |(ask, told, endings, id, stream, embed)| {
            let endings = if told.finish.is_some() { endings } else { Default::default() };
            Template { ask, told: Told { endings, id, ..told }, stream, embed }
        },
    )
}
