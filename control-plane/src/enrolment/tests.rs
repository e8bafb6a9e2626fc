use super::*;
use crate::ca::LEAF_VALIDITY;
use crate::validity::validity;

struct House {
    enrolment: Enrolment,
    _dir: tempfile::TempDir,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store.db")).await.unwrap();
    let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca")).unwrap());
    let certificate = authority.certificate();
    let pin = Some(pin(&certificate));
    let issuer =
        Issuer { authority, certificate, pin, valid: Duration::from_secs(3600), port: 1, trusted: true };
    let enrolment = Enrolment::open(store, Admission::default(), issuer).await.unwrap();
    House { enrolment, _dir: dir }
}

/// A key's request, which asks for more than it gets.
fn request(pair: &rcgen::KeyPair) -> Requested {
    let mut params = rcgen::CertificateParams::default();
    let forged = rcgen::string::Ia5String::try_from("spiffe://chancery/geo/us/node/root").unwrap();
    params.subject_alt_names = vec![rcgen::SanType::URI(forged)];
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Requested::read(params.serialize_request(pair).unwrap().der()).unwrap()
}

fn key() -> Requested {
    request(&rcgen::KeyPair::generate().unwrap())
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl House {
    async fn token(&self, node: &str, valid: Duration) -> Presented {
        let act = Act::of_system("test");
        let made = self.enrolment.make(&name("eu"), &name(node), (valid, &act)).await.unwrap();
        Presented::read(&made.token).unwrap()
    }

    async fn enrol(&self, token: &Presented, key: &Requested) -> Result<CertificateDer<'static>, Unfit> {
        match self.enrolment.enrol(token, key, |_| Act::of_system("test")).await {
            Ok((geo, _, certificate)) => {
                assert_eq!(geo, name("eu"));
                Ok(certificate)
            }
            Err(EnrolmentError::Unfit(why)) => Err(why),
            Err(error) => panic!("{error}"),
        }
    }

    async fn revoke(&self, node: &str) {
        let at = (&self.enrolment.store, &self.enrolment.admission);
        revoke(at, (&name("eu"), &name(node)), &Act::of_system("test")).await.unwrap();
    }
}

#[tokio::test]
async fn case_14_a_certificate_is_of_the_node_of_the_token_whatever_its_request_says() {
    let house = house().await;
    let token = house.token("a", Duration::from_secs(60)).await;
    let certificate = house.enrol(&token, &key()).await.unwrap();
    let read = webpki::EndEntityCert::try_from(&certificate).unwrap();
    assert_eq!(read.valid_uri_names().collect::<Vec<_>>(), ["spiffe://chancery/geo/eu/node/a"]);
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    assert!(!parsed.is_ca());
    let (begin, end) = validity(&certificate).unwrap();
    assert_eq!(end - begin, 3600 + 360, "its life, and a tenth of it before");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_known_here() {
    let house = house().await;
    let good = house.token("a", Duration::from_secs(60)).await;
    let elsewhere = Presented { pin: "0".repeat(32), ..good.clone() };
    let unknown = Presented { id: "0".repeat(20), ..good.clone() };
    let stranger = Presented { id: "0".repeat(20), ..elsewhere.clone() };
    let guessed = Presented { digest: [0; 32], ..good.clone() };
    let nobodys = Presented { digest: nobody().secret, ..unknown.clone() };
    for (token, why) in [
        (elsewhere, Unfit::Elsewhere),
        (unknown, Unfit::Unknown),
        (nobodys, Unfit::Unknown),
        (stranger, Unfit::Elsewhere),
        (guessed, Unfit::Secret),
        (house.token("b", Duration::from_micros(1)).await, Unfit::Expired),
    ] {
        assert_eq!(house.enrol(&token, &key()).await.unwrap_err(), why);
    }
    // Used for one key, and for the same again should the answer have been lost.
    let own = rcgen::KeyPair::generate().unwrap();
    house.enrol(&good, &request(&own)).await.unwrap();
    house.enrol(&good, &request(&own)).await.unwrap();
    assert_eq!(house.enrol(&good, &key()).await.unwrap_err(), Unfit::Used);
    house.revoke("a").await;
    assert_eq!(house.enrol(&good, &request(&own)).await.unwrap_err(), Unfit::Revoked);
}

#[tokio::test]
async fn a_node_that_was_revoked_comes_back_by_a_new_token_alone() {
    let house = house().await;
    let (eu, a) = (name("eu"), name("a"));
    let admission = house.enrolment.admission.clone();
    let first = house.enrol(&house.token("a", LEAF_VALIDITY).await, &key()).await.unwrap();
    let waiting = house.token("a", LEAF_VALIDITY).await;
    let let_in = admission.admit(&eu, &a, &first).unwrap();
    house.revoke("a").await;
    assert!(let_in.is_cancelled());
    assert!(admission.admit(&eu, &a, &first).is_err());
    // A renewal that was let in before, and comes to its end after.
    let renewed = house.enrolment.renew((&eu, &a), &key(), &let_in);
    assert!(matches!(renewed, Err(EnrolmentError::Unfit(Unfit::Revoked))));
    let token = house.token("a", LEAF_VALIDITY).await;
    assert_eq!(house.enrol(&waiting, &key()).await.unwrap_err(), Unfit::Revoked);
    let second = house.enrol(&token, &key()).await.unwrap();
    assert!(admission.admit(&eu, &a, &first).is_err(), "what it had before stays refused");
    // It begins with the second after.
    let (begin, _) = validity(&second).unwrap();
    assert_eq!(begin, admission.valid_from(&eu, &a));
}

#[test]
fn a_request_is_of_who_has_its_key() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut der = rcgen::CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    assert!(Requested::read(&der).is_err(), "another signature");
    assert!((0..last).all(|end| Requested::read(&der[..end]).is_err()));
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = rcgen::CertificateParams::default().serialize_request(&other).unwrap().der().to_vec();
    assert_eq!(Requested::read(&der).unwrap_err(), crate::ca::RequestError::Key);
}
