//! The containment table as text: who lies within whom, with the source of every block.
//!
//! Law: closed and dated; a place that is not here is unknown, and `compile` refuses to guess.
//! Absent on purpose: adequacy decisions and transfer bases, which are law that changes and belong to dated rule packs.
//!
//! One name has one meaning: where two vendors give the same name to different places (Alibaba's `eu-west-1` is
//! London, AWS's is Ireland), AWS's meaning stands and the other is left out.

/// The day the lists below were last compared with their sources.
pub const TABLE_AS_OF: &str = "2025-11-01";

/// ISO 3166-1 alpha-2, all 249 officially assigned codes (ISO Online Browsing Platform).
pub(super) const COUNTRIES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// ISO 3166-2 subdivisions that law knows by themselves: the 50 states and the district of the US, the provinces and
/// territories of Canada. Each lies within the country that its code begins with.
pub(super) const SUBDIVISIONS: &str = "\
US-AL US-AK US-AZ US-AR US-CA US-CO US-CT US-DE US-DC US-FL US-GA US-HI US-ID US-IL US-IN US-IA US-KS US-KY US-LA \
US-ME US-MD US-MA US-MI US-MN US-MS US-MO US-MT US-NE US-NV US-NH US-NJ US-NM US-NY US-NC US-ND US-OH US-OK US-OR \
US-PA US-RI US-SC US-SD US-TN US-TX US-UT US-VT US-VA US-WA US-WV US-WI US-WY \
CA-AB CA-BC CA-MB CA-NB CA-NL CA-NS CA-NT CA-NU CA-ON CA-PE CA-QC CA-SK CA-YT";

/// Groups, each the union of what it names; a group may name groups above it in this list.
///
/// `EU`: the 27 members of the Treaty on European Union, and the parts of them that ISO lists as countries of their
/// own while Art. 349 and 355 TFEU keep them in the Union (AX GF GP MF MQ RE YT). `EEA`: the EEA Agreement. `UK`: the
/// name law uses for ISO's `GB`; the Crown dependencies are not part of it. `CN` is the mainland: `HK`, `MO` and `TW`
/// are places of their own here, as in PIPL's scope.
pub(super) const GROUPS: &[(&str, &str)] = &[
    (
        "EU",
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK AX GF GP MF MQ RE YT",
    ),
    ("EEA", "EU IS LI NO"),
    ("UK", "GB"),
];

/// Geos, by the set that a data plane of that name serves. `ap` and `apac` follow the destinations of Bedrock's
/// Asia-Pacific inference profiles; `global` is everywhere, as in vendors' global deployments.
pub(super) const GEOS: &[(&str, &str)] = &[
    ("ae", "AE"),
    ("ap", "AU HK ID IN JP KR MY NZ PH SG TH TW VN"),
    ("apac", "ap"),
    ("au", "AU"),
    ("br", "BR"),
    ("ca", "CA"),
    ("ch", "CH"),
    ("cn", "CN"),
    ("de", "DE"),
    ("eea", "EEA"),
    ("eu", "EU"),
    ("fr", "FR"),
    ("il", "IL"),
    ("in", "IN"),
    ("jp", "JP"),
    ("kr", "KR"),
    ("mx", "MX"),
    ("nz", "NZ"),
    ("sg", "SG"),
    ("uk", "UK"),
    ("us", "US"),
    ("za", "ZA"),
];

/// Everywhere: the one name that is not a list.
pub(super) const EVERYWHERE: &str = "global";

/// Cloud regions by the smallest place of the lists above that holds them.
///
/// Sources: AWS "Regions and Availability Zones", Azure "List of Azure regions", Google Cloud "Regions and zones",
/// Oracle "Regions and Availability Domains", IBM Cloud "Locations", and the region lists of Alibaba Cloud, Hetzner,
/// IONOS, OVHcloud, Open Telekom Cloud, Scaleway and STACKIT; `xx-city` and `xx-city-1` are the neutral names that
/// on-premises clusters use here.
pub(super) const CLOUD_REGIONS: &[(&str, &str)] = &[
    ("AE", "me-central-1 uaenorth uaecentral me-dubai-1 me-abudhabi-1 me-east-1"),
    ("AT", "austriaeast at-vie at-vie-1 eu-at"),
    (
        "AU",
        "ap-southeast-2 ap-southeast-4 australiaeast australiasoutheast australiacentral australiacentral2 \
         australia-southeast1 australia-southeast2 ap-sydney-1 ap-melbourne-1 au-syd",
    ),
    ("BE", "belgiumcentral europe-west1 be-bru be-bru-1"),
    ("BH", "me-south-1"),
    ("BR", "sa-east-1 brazilsouth brazilsoutheast southamerica-east1 sa-saopaulo-1 sa-vinhedo-1 br-sao"),
    ("CA-AB", "ca-west-1"),
    ("CA-ON", "canadacentral northamerica-northeast2 ca-toronto-1 ca-tor"),
    ("CA-QC", "ca-central-1 canadaeast northamerica-northeast1 ca-montreal-1 ca-mon bhs"),
    ("CH", "eu-central-2 switzerlandnorth switzerlandwest europe-west6 eu-zurich-1 eu-ch2 ch-zrh ch-zrh-1"),
    ("CL", "chilecentral southamerica-west1 sa-santiago-1 sa-valparaiso-1"),
    ("CO", "sa-bogota-1"),
    (
        "CN",
        "cn-north-1 cn-northwest-1 chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3 cn-hangzhou \
         cn-shanghai cn-beijing cn-shenzhen cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-chengdu cn-qingdao \
         cn-guangzhou cn-heyuan cn-nanjing",
    ),
    (
        "DE",
        "eu-central-1 eusc-de-east-1 germanywestcentral germanynorth europe-west3 europe-west10 eu-frankfurt-1 eu-de \
         eu01 fsn1 nbg1 de-fra de-fra-1 de-fra-2 de-ber de-ber-1 de-ber-2 de-txl de-muc de-muc-1 de-ham de-ham-1",
    ),
    ("DK", "denmarkeast dk-cph dk-cph-1"),
    ("ES", "eu-south-2 spaincentral europe-southwest1 eu-madrid-1 eu-madrid-3 eu-es es-vit es-mad es-mad-1"),
    ("FI", "europe-north1 hel1 fi-hel fi-hel-1"),
    (
        "FR",
        "eu-west-3 francecentral francesouth europe-west9 eu-paris-1 eu-marseille-1 fr-par fr-par-1 fr-par-2 gra rbx \
         sbg",
    ),
    ("GB", "eu-west-2 uksouth ukwest europe-west2 uk-london-1 uk-cardiff-1 eu-gb gb-lhr gb-lon gb-lon-1"),
    ("HK", "ap-east-1 eastasia asia-east2 cn-hongkong"),
    ("ID", "ap-southeast-3 indonesiacentral asia-southeast2 ap-batam-1"),
    ("IE", "eu-west-1 northeurope ie-dub ie-dub-1"),
    ("IL", "il-central-1 israelcentral me-west1 il-jerusalem-1"),
    (
        "IN",
        "ap-south-1 ap-south-2 centralindia southindia westindia jioindiawest jioindiacentral asia-south1 asia-south2 \
         ap-mumbai-1 ap-hyderabad-1 in-che",
    ),
    ("IT", "eu-south-1 italynorth europe-west8 europe-west12 eu-milan-1 eu-turin-1 it-mil it-mil-1"),
    (
        "JP",
        "ap-northeast-1 ap-northeast-3 japaneast japanwest asia-northeast1 asia-northeast2 ap-tokyo-1 ap-osaka-1 \
         jp-tok jp-osa",
    ),
    ("KR", "ap-northeast-2 koreacentral koreasouth asia-northeast3 ap-seoul-1 ap-chuncheon-1"),
    ("MX", "mx-central-1 mexicocentral northamerica-south1 mx-queretaro-1 mx-monterrey-1"),
    ("MY", "ap-southeast-5 malaysiawest"),
    ("NL", "westeurope europe-west4 eu-amsterdam-1 eu-nl nl-ams nl-ams-1 nl-ams-2"),
    ("NO", "norwayeast norwaywest no-osl no-osl-1"),
    ("NZ", "ap-southeast-6 newzealandnorth"),
    ("PL", "polandcentral europe-central2 pl-waw pl-waw-1 pl-waw-2 waw"),
    ("QA", "qatarcentral me-central1"),
    ("RS", "eu-jovanovac-1"),
    ("SA", "me-central2 me-jeddah-1 me-riyadh-1"),
    ("SE", "eu-north-1 swedencentral swedensouth europe-north2 eu-stockholm-1 se-sto se-sto-1"),
    ("SG", "ap-southeast-1 southeastasia asia-southeast1 ap-singapore-1 ap-singapore-2 sgp"),
    ("TH", "ap-southeast-7 asia-southeast3"),
    ("TW", "ap-east-2 asia-east1"),
    ("US", "us-newark us-ewr us-las"),
    ("US-AZ", "westus3 usgovarizona us-phoenix-1"),
    ("US-CA", "us-west-1 westus us-west2 us-sanjose-1"),
    ("US-IA", "centralus usdodcentral us-central1"),
    ("US-IL", "northcentralus us-chicago-1"),
    ("US-NV", "us-west4"),
    ("US-OH", "us-east-2 us-gov-east-1 us-east5"),
    ("US-OR", "us-west-2 us-gov-west-1 us-west1 hil"),
    ("US-SC", "us-east1"),
    ("US-TX", "southcentralus usgovtexas us-south1 us-south"),
    ("US-UT", "us-west3"),
    ("US-VA", "us-east-1 eastus eastus2 usgovvirginia usdodeast us-east4 us-ashburn-1 ash vin"),
    ("US-WA", "westus2"),
    ("US-WY", "westcentralus"),
    ("ZA", "af-south-1 southafricanorth southafricawest africa-south1 af-johannesburg-1"),
];
