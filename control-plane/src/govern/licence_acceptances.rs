//! Acceptances of licences by teams.

use crate::govern::governed;

governed!(LicenceAcceptance in acceptances {});
