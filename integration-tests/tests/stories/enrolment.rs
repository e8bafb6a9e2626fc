//! How a machine becomes a node, stays one, and is taken out: by a token, a certificate that renews itself, and an operator's word.

mod house;

use std::time::Duration;

use data_plane::serve::DataPlane;
use integration_tests::{
    door::{Ask, Caller, Door},
    sandbox::Sandbox,
    wait::{until, within},
};
use proto::{
    admin::{EnrolNodeRequest, ListNodesRequest, nodes_service_client::NodesServiceClient},
    sync::EnrolRequest,
};
use tonic::Code;

use house::{House, Machine, data_config, end_of, events, metric, ready};

const MODEL: &str = "sim-mistral-large";

/// How long a certificate lives in the story that sees one end.
const LIFE: Duration = Duration::from_secs(6);

async fn answers(plane: &DataPlane, key: &str) {
    for door in Door::BOTH {
        let caller = Caller::at(door, format!("http://{}", plane.inference_address()), key);
        let told = caller.ask(&Ask::chat(MODEL, "are you there?")).await.unwrap();
        assert!(told.as_ref().is_ok_and(|told| told.text.contains("are you there?")), "{door:?}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_node_joins_by_a_token_gets_policy_and_serves() {
    let house = Sandbox::quickstart().await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let revision = house.control.as_ref().unwrap().publisher().current().head.revision;
    let mut nodes = NodesServiceClient::new(house.admin_channel().await.unwrap());
    let asked =
        EnrolNodeRequest { geo: "eu".into(), node: "eu-3".into(), valid: "10m".into(), new_geo: false };
    let made = nodes.enrol_node(house.authorised(asked).unwrap()).await.unwrap().into_inner();
    assert_eq!(made.node, "nodes/eu-3");

    let control = house.control.as_ref().unwrap().addresses().sync;
    assert_eq!(made.sync_port, i32::from(control.port()));
    let url = format!("https://{control}");
    let config = data_config(&house.home().join("third"), &url, &made.token);
    let third = DataPlane::start(config.clone(), None).await.unwrap();
    within("policy", third.enforces(revision)).await.unwrap().unwrap();
    answers(&third, &key).await;
    let listed = async || {
        let asked = house.authorised(ListNodesRequest::default()).unwrap();
        nodes.clone().list_nodes(asked).await.unwrap().into_inner().nodes
    };
    let told: Vec<(String, String)> =
        listed().await.into_iter().map(|node| (node.name, node.state)).collect();
    let connected = |name: &str| (name.to_owned(), "connected".to_owned());
    assert_eq!(told, ["nodes/eu-1", "nodes/eu-3", "nodes/us-1"].map(connected));

    // It is a node from now on: with the token it has used, and without any.
    third.shutdown().await;
    for token in [made.token.as_str(), ""] {
        let config = data_config(&house.home().join("third"), &url, token);
        let again = DataPlane::start(config, None).await.unwrap();
        within("policy", again.enforces(revision)).await.unwrap().unwrap();
        again.shutdown().await;
    }
    // Nobody else becomes one by that token, and nobody without.
    let elsewhere = data_config(&house.home().join("fourth"), &url, &made.token);
    let refused = DataPlane::start(elsewhere, None).await.err().unwrap().to_string();
    assert!(refused.contains("not enrolled: the enrolment token is not taken"), "{refused}");
    let without = data_config(&house.home().join("fifth"), &url, "");
    let refused = DataPlane::start(without, None).await.err().unwrap().to_string();
    assert!(refused.contains("no node yet") && refused.contains("chancery nodes enrol"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_good_is_refused_in_the_same_words_whatever_is_wrong_with_it() {
    let (house, other) = (House::start(|_| ()).await, House::start(|_| ()).await);
    let good = house.token("eu", "a", "10m").await;
    let used = house.token("eu", "b", "10m").await;
    house.enrol(&used, &Machine::new()).await.unwrap();
    let revoked = house.token("eu", "c", "10m").await;
    house.revoke("nodes/c").await;
    let (id, rest) = good.strip_prefix("chyn_").unwrap().split_once('_').unwrap();
    let (secret, pin) = rest.split_once('_').unwrap();
    let bad = [
        (used.clone(), "it was used before"),
        (house.token("eu", "d", "1ms").await, "it has expired"),
        (revoked, "its node was revoked since it was made"),
        (format!("chyn_{id}_{}_{pin}", "0".repeat(64)), "its secret is not the token's"),
        (format!("chyn_{}_{secret}_{pin}", "0".repeat(20)), "no such token was made"),
        (other.token("eu", "a", "10m").await, "it is of another authority"),
        ("garbage".to_owned(), "it has not the form of a token"),
        (String::new(), "it has not the form of a token"),
        (format!("{good}x"), "it has not the form of a token"),
    ];
    let mut told = Vec::new();
    for (token, _) in &bad {
        let refused = house.enrol(token, &Machine::new()).await.unwrap_err();
        told.push((refused.code(), refused.message().to_owned()));
    }
    assert_eq!(told[0].0, Code::PermissionDenied);
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // The operator learns which it was, and of whose token; nobody learns the token.
    let events = events(&house).await;
    for (token, why) in &bad {
        let refused =
            events.iter().find(|event| event.reason == *why && event.outcome == "permission_denied");
        assert!(refused.is_some(), "{why}: {events:?}");
        let secret = token.split('_').nth(2).unwrap_or("nothing");
        assert!(!format!("{events:?}").contains(secret), "{why}");
    }
    let id = used.split('_').nth(1).unwrap();
    let of_token = events.iter().filter(|event| event.actor == format!("enrolmentTokens/{id}"));
    assert_eq!(of_token.map(|event| event.outcome.as_str()).collect::<Vec<_>>(), ["permission_denied", "ok"]);
    assert!(events.iter().filter(|event| event.action.ends_with("Enrolment/Enrol")).all(|event| {
        (event.source.as_str(), event.address.as_str()) == ("sync", "127.0.0.1")
            && (event.method == "enrolment_token" || event.actor == "unknown")
    }));
    assert!(events.iter().any(|event| event.action.ends_with("NodesService/EnrolNode")
        && event.actor == "platform/root"
        && event.resource == "geos/eu/nodes/a"));
    // One that is withdrawn is no better, and whoever lists tokens sees what became of each.
    let withdrawn = house.token("eu", "w", "10m").await;
    house.withdraw(&withdrawn).await.unwrap();
    house.withdraw(&withdrawn).await.unwrap();
    let refused = house.enrol(&withdrawn, &Machine::new()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message().to_owned()), told[0]);
    assert_eq!(house.withdraw(&used).await.unwrap_err().code(), Code::FailedPrecondition);
    let listed = house.tokens().await;
    let states: Vec<(&str, &str)> =
        listed.iter().map(|token| (token.node.as_str(), token.state.as_str())).collect();
    let expected = [("w", "withdrawn"), ("d", "expired"), ("c", "revoked"), ("b", "used"), ("a", "unused")];
    let named = expected.map(|(node, state)| (format!("geos/eu/nodes/{node}"), state));
    assert_eq!(states, named.each_ref().map(|(node, state)| (node.as_str(), *state)));
    assert!(!format!("{listed:?}").contains(secret), "{listed:?}");
    let events = house::events(&house).await;
    let taken = events.iter().filter(|event| {
        event.action.ends_with("/WithdrawEnrolmentToken")
            && event.outcome == "ok"
            && event.resource == listed[0].name
    });
    assert_eq!(taken.count(), 1, "{events:?}");
    // A request that is none costs no token.
    let broken = EnrolRequest { token: good.clone(), certificate_request: vec![1, 2, 3] };
    assert_eq!(house.stranger().await.enrol(broken).await.unwrap_err().code(), Code::InvalidArgument);
    house.enrol(&good, &Machine::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_of_a_known_geo_makes_no_token() {
    let house = House::start(|_| ()).await;
    house.token("eu-west", "a", "10m").await;
    for (slip, said) in [
        ("EU-West", "`EU-West` is known as `eu-west`"),
        ("eu-wets", "did you mean `eu-west`? A new geo with such a name needs `newGeo` (`--new-geo`)"),
    ] {
        let refused = house.try_token(slip, "b", "10m").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(said), "{refused:?}");
    }
    // What is like none is a geo of its own.
    house.token("us", "c", "10m").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_machines_with_one_token_one_becomes_the_node() {
    let house = House::start(|_| ()).await;
    let token = house.token("eu", "a", "10m").await;
    let machines: Vec<Machine> = (0..8).map(|_| Machine::new()).collect();
    let tried = machines.iter().map(|machine| house.enrol(&token, machine));
    let tried = futures_util::future::join_all(tried).await;
    let won: Vec<usize> = (0..8).filter(|at| tried[*at].is_ok()).collect();
    assert_eq!(won.len(), 1, "{tried:?}");
    // Who won may ask again, should it not have heard the answer; nobody else ever.
    house.enrol(&token, &machines[won[0]]).await.unwrap();
    house.enrol(&token, &machines[(won[0] + 1) % 8]).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_14_who_a_machine_says_it_is_does_not_count() {
    let house = House::start(|_| ()).await;
    let token = house.token("eu", "a", "10m").await;
    let mut liar = Machine::claiming("spiffe://chancery/geo/us/node/root");
    let certificate = house.enrol(&token, &liar).await.unwrap().certificate;
    let is_its_own = |der: &[u8]| {
        house::says(der, "spiffe://chancery/geo/eu/node/a") && !house::says(der, "spiffe://chancery/geo/us")
    };
    assert!(is_its_own(&certificate));
    liar.certificate = Some(certificate);
    let renewed = house.renew(&liar).await.unwrap().certificate;
    assert!(is_its_own(&renewed));
    // Without a certificate there is neither policy nor another certificate.
    let nobody = Machine::new();
    assert_eq!(house.renew(&nobody).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(house.follow(&nobody).await.unwrap_err().code(), Code::PermissionDenied);
    // One of another control plane ends the handshake.
    let other = House::start(|_| ()).await;
    let mut foreign = Machine::new();
    let token = other.token("eu", "a", "10m").await;
    foreign.certificate = Some(other.enrol(&token, &foreign).await.unwrap().certificate);
    assert_ne!(house.follow(&foreign).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_shows_its_token_to_nobody_but_the_control_plane_it_is_of() {
    let everywhere =
        |config: &mut control_plane::config::Config| config.listen.sync = "0.0.0.0:0".parse().unwrap();
    let (house, other) = (House::start(everywhere).await, House::start(|_| ()).await);
    let token = house.token("eu", "a", "10m").await;
    let config = data_config(&house.home().join("a"), &other.url(), &token);
    let refused = DataPlane::start(config, None).await.err().unwrap().to_string();
    assert!(refused.contains("not the control plane that the token is of"), "{refused}");
    let shown = events(&other).await.into_iter().filter(|event| event.action.ends_with("Enrolment/Enrol"));
    assert_eq!(shown.count(), 0);
    // Nor by another name of it than its certificate has.
    let elsewhere = house.url().replace("127.0.0.1", "127.0.0.2");
    let config = data_config(&house.home().join("b"), &elsewhere, &token);
    let refused = DataPlane::start(config, None).await.err().unwrap().to_string();
    assert!(refused.contains("127.0.0.2") && refused.contains("is not trusted"), "{refused}");
    assert!(!events(&house).await.iter().any(|event| event.action.ends_with("Enrolment/Enrol")));
    let config = data_config(&house.home().join("a"), &house.url(), &token);
    DataPlane::start(config, None).await.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_waits_for_the_control_plane_to_become_a_node() {
    let mut house = House::start(|_| ()).await;
    let token = house.token("eu", "a", "10m").await;
    house.stop().await;
    let config = data_config(&house.home().join("a"), &house.url(), &token);
    let starting = tokio::spawn(DataPlane::start(config, None));
    let key = house.home().join("a/identity/pending.key");
    until("its key", async || key.exists().then_some(())).await.unwrap();
    assert!(!starting.is_finished());
    house.again().await;
    let plane = within("its start", starting).await.unwrap().unwrap().unwrap();
    within("policy", plane.enforces(1)).await.unwrap().unwrap();
    assert!(!key.exists());
    plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_70_a_node_that_was_revoked_is_refused_from_then_on_and_serves_what_it_has() {
    let mut house = House::start(|_| ()).await;
    let key = house.key().await;
    let token = house.token("eu", "a", "10m").await;
    let home = house.home().join("a");
    let plane = DataPlane::start(data_config(&home, &house.url(), &token), None).await.unwrap();
    within("policy", plane.enforces(house.revision())).await.unwrap().unwrap();
    answers(&plane, &key).await;
    assert_eq!(metric(&plane, "chancery_policy_connected").await, Some(1.0));
    let stolen = Machine::of(&home.join("identity/node.pem"));
    let mut open = house.follow(&stolen).await.unwrap();

    house.revoke("nodes/a").await;
    let closed = async {
        loop {
            if let Err(status) = open.message().await {
                return status;
            }
        }
    };
    assert_eq!(within("the end of the stream", closed).await.unwrap().code(), Code::PermissionDenied);
    until("a node that hears no more", async || {
        metric(&plane, "chancery_policy_connected").await.filter(|connected| *connected == 0.0)
    })
    .await
    .unwrap();
    // It says so itself: whoever spreads requests over nodes passes it by.
    until("a node that says it was revoked", async || {
        metric(&plane, "chancery_policy_revoked").await.filter(|revoked| *revoked == 1.0)
    })
    .await
    .unwrap();
    assert_eq!(
        ready(&plane).await,
        (503, "revoked: the control plane lets this node in no more\n".to_owned())
    );
    for _ in 0..2 {
        assert_eq!(house.follow(&stolen).await.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(house.renew(&stolen).await.unwrap_err().code(), Code::PermissionDenied);
        let node = house.node("nodes/a").await;
        assert!(node.revoke_time.is_some() && node.state == "revoked", "{node:?}");
        house.stop().await;
        house.again().await;
    }
    answers(&plane, &key).await;
    plane.shutdown().await;
    // After a restart it serves from disk; the old token helps nobody, and a new one lets it in again, but not the thief.
    let plane = DataPlane::start(data_config(&home, &house.url(), &token), None).await.unwrap();
    answers(&plane, &key).await;
    plane.shutdown().await;
    let fresh = house.token("eu", "a", "10m").await;
    let plane = DataPlane::start(data_config(&home, &house.url(), &fresh), None).await.unwrap();
    until("a node that hears again", async || {
        metric(&plane, "chancery_policy_connected").await.filter(|connected| *connected == 1.0)
    })
    .await
    .unwrap();
    assert_eq!(metric(&plane, "chancery_policy_revoked").await, Some(0.0));
    assert_eq!(house.node("nodes/a").await.revoke_time, None);
    assert_eq!(house.follow(&stolen).await.unwrap_err().code(), Code::PermissionDenied);
    plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_before_it_ends_and_the_next_stream_shows_it() {
    let short = |config: &mut control_plane::config::Config| {
        config.sync.node_certificate_valid = control_plane::config::Length(LIFE);
    };
    let mut house = House::start(short).await;
    let key_of_ada = house.key().await;
    let token = house.token("eu", "a", "10m").await;
    let home = house.home().join("a");
    let plane = DataPlane::start(data_config(&home, &house.url(), &token), None).await.unwrap();
    let file = home.join("identity/node.pem");
    let (first, key) = (end_of(&plane).await.unwrap(), std::fs::read_to_string(&file).unwrap());
    assert!(!events(&house).await.iter().any(|event| event.action.ends_with("Enrolment/Renew")));
    // Twice over, so that the first one has ended whose stream is open still.
    let renewed = until("another certificate", async || {
        end_of(&plane).await.filter(|end| *end > first + LIFE.as_secs_f64())
    });
    renewed.await.unwrap();
    assert_ne!(std::fs::read_to_string(&file).unwrap(), key);
    // Each renewal is an event of the node's: which certificate, and until when it is good.
    let log = events(&house).await;
    let renewals: Vec<_> = log.iter().filter(|event| event.action.ends_with("Enrolment/Renew")).collect();
    let of_node = renewals.iter().all(|event| {
        event.actor == "geos/eu/nodes/a"
            && event.outcome == "ok"
            && event.reason.starts_with("until 2")
            && event.resource.starts_with("geos/eu/nodes/a/certificates/")
            && (event.method.as_str(), event.address.as_str()) == ("node_certificate", "127.0.0.1")
    });
    let serials: std::collections::BTreeSet<&str> = renewals.iter().map(|it| it.resource.as_str()).collect();
    assert!(of_node && renewals.len() >= 2 && serials.len() == renewals.len(), "{renewals:?}");
    house.stop().await;
    house.again().await;
    until("a node that is back", async || {
        let node = house.node("nodes/a").await;
        (node.state == "connected" && metric(&plane, "chancery_policy_connected").await == Some(1.0))
            .then_some(())
    })
    .await
    .unwrap();
    // Away for longer than a certificate lives: it serves, and says that it needs a token.
    house.stop().await;
    let last = end_of(&plane).await.unwrap();
    until("the end of the last certificate", async || (house::now() > last).then_some(())).await.unwrap();
    assert_eq!(metric(&plane, "chancery_policy_connected").await, Some(0.0));
    answers(&plane, &key_of_ada).await;
    plane.shutdown().await;
    let plane = DataPlane::start(data_config(&home, &house.url(), &token), None).await.unwrap();
    within("policy from disk", plane.enforces(1)).await.unwrap().unwrap();
    answers(&plane, &key_of_ada).await;
    plane.shutdown().await;
    house.again().await;
    let token = house.token("eu", "a", "10m").await;
    let plane = DataPlane::start(data_config(&home, &house.url(), &token), None).await.unwrap();
    until("a node that is back", async || {
        metric(&plane, "chancery_policy_connected").await.filter(|connected| *connected == 1.0)
    })
    .await
    .unwrap();
    plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_another_authority_are_taken_where_it_is_trusted() {
    let foreign = house::Foreign::new();
    let files = foreign.write_server();
    let mut house = House::start(|config| {
        config.sync.client_ca = Some(files.ca.clone());
        config.sync.tls_certificate = Some(files.chain.clone());
        config.sync.tls_key = Some(files.key.clone());
    })
    .await;
    // Whose port it is, and who signs what is policy, are two authorities then.
    let home = house.home().join("brought");
    let config = foreign.node(&house, &home, "spiffe://chancery/geo/eu/node/brought");
    let plane = DataPlane::start(config, None).await.unwrap();
    within("policy", plane.enforces(1)).await.unwrap().unwrap();
    assert_eq!(house.node("nodes/brought").await.state, "connected");
    // Another certificate in the place of the one before is shown at the next connection.
    let before = end_of(&plane).await.unwrap();
    foreign.node(&house, &home, "spiffe://chancery/geo/eu/node/brought");
    house.stop().await;
    house.again().await;
    until("the other certificate", async || end_of(&plane).await.filter(|end| *end > before)).await.unwrap();
    plane.shutdown().await;
    // A token names the authority of the port, whichever it is.
    let token = house.token("eu", "enrolled", "10m").await;
    let config = data_config(&house.home().join("enrolled"), &house.url(), &token);
    let plane = DataPlane::start(config, None).await.unwrap();
    within("policy", plane.enforces(1)).await.unwrap().unwrap();
    // What a foreign authority says is taken back like any other.
    house.revoke("nodes/brought").await;
    let config = foreign.node(&house, &home, "spiffe://chancery/geo/eu/node/brought");
    let stolen = Machine::of_files(&config.control);
    assert_eq!(
        house.follow_trusting(&stolen, &foreign.pem()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    plane.shutdown().await;
    // Where the built-in authority is not trusted, nobody is enrolled in vain.
    let house = House::start(|config| {
        config.sync.client_ca = Some(files.ca.clone());
        config.sync.own_authority = false;
    })
    .await;
    let refused = house.try_token("eu", "a", "10m").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("sync.own_authority"), "{refused:?}");
}
