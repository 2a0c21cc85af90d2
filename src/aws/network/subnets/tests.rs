use super::*;

const NAT: &str = "nat-1";
const GATEWAY: &str = "igw-1";

fn subnet(id: &str, zone: &str) -> Subnet {
    Subnet {
        id: id.into(),
        vpc: "vpc-1".into(),
        state: "available".into(),
        zone: zone.into(),
        free_addresses: 100,
        ..Subnet::default()
    }
}

fn candidate(id: &str, zone: &str, out: &str) -> Candidate {
    let by = out.to_owned();
    let way = match out {
        NAT => Way::Egress { by },
        GATEWAY => Way::Public { by },
        "?" => Way::Unknown,
        _ => Way::Isolated { table: by },
    };
    let subnet = subnet(id, zone);
    Candidate { subnet, way }
}

fn around() -> Surroundings {
    Surroundings {
        endpoints: Vec::new(),
        zones: vec!["eu-west-1b".into()],
        region: "eu-west-1".into(),
        public_ip: None,
    }
}

fn endpoints(table: &str) -> Vec<VpcEndpoint> {
    let endpoint = |service: &str| VpcEndpoint {
        service: format!("com.amazonaws.eu-west-1.{service}"),
        kind: if service == "s3" {
            "Gateway"
        } else {
            "Interface"
        }
        .into(),
        vpc: "vpc-1".into(),
        state: "available".into(),
        private_dns: true,
        route_tables: vec![table.into()],
        ..VpcEndpoint::default()
    };
    ["ssmmessages", "ecr.api", "ecr.dkr", "s3"]
        .map(endpoint)
        .into()
}

fn ids(picked: &Picked) -> Vec<&str> {
    picked.subnets.iter().map(|it| it.id.as_str()).collect()
}

fn why_not(all: &[Candidate], around: &Surroundings) -> String {
    choose(all, around).unwrap_err().told("eu-west-1").message
}

#[test]
fn the_best_way_out_goes_first_and_then_the_zone_of_the_database() {
    let public = candidate("public", "eu-west-1b", GATEWAY);
    let isolated = candidate("isolated", "eu-west-1b", "rtb-1");
    let unknown = candidate("unknown", "eu-west-1b", "?");
    let a = candidate("a", "eu-west-1a", NAT);
    let b = candidate("b", "eu-west-1b", NAT);
    let c = candidate("c", "eu-west-1c", NAT);
    let d = candidate("d", "eu-west-1d", NAT);
    let with_endpoints = Surroundings {
        endpoints: endpoints("rtb-1"),
        ..around()
    };
    for (all, around, taken, class, is_public) in [
        (
            vec![&public, &d, &a, &isolated, &c, &b],
            &with_endpoints,
            vec!["b", "a", "c"],
            "egress",
            false,
        ),
        (
            vec![&public, &isolated],
            &with_endpoints,
            vec!["isolated"],
            "endpoints",
            false,
        ),
        (
            vec![&public, &isolated],
            &around(),
            vec!["public"],
            "public",
            true,
        ),
        (
            vec![&unknown, &public],
            &around(),
            vec!["public"],
            "public",
            true,
        ),
        (
            vec![&unknown, &isolated],
            &around(),
            vec!["unknown"],
            "unknown",
            false,
        ),
        (
            vec![&public, &b],
            &Surroundings {
                public_ip: Some(true),
                ..around()
            },
            vec!["public"],
            "public",
            true,
        ),
    ] {
        let all: Vec<Candidate> = all.into_iter().cloned().collect();
        let picked = choose(&all, around).unwrap();
        assert_eq!((ids(&picked), picked.class), (taken, class));
        assert_eq!(picked.public_ip, is_public, "{class}");
    }
}

#[test]
fn of_one_zone_the_subnet_with_most_room_is_taken_and_the_reason_told() {
    let mut roomy = candidate("roomy", "eu-west-1b", NAT);
    roomy.subnet.free_addresses = 4000;
    let all = [
        candidate("b", "eu-west-1b", NAT),
        roomy,
        candidate("a", "eu-west-1a", NAT),
    ];
    let picked = choose(&all, &around()).unwrap();
    assert_eq!(ids(&picked), ["roomy", "a"]);
    let reasons: Vec<&str> = picked.chosen.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "found: in the database's zone eu-west-1b; way out by nat-1; 4000 addresses free",
            "found: in zone eu-west-1a; way out by nat-1; 100 addresses free"
        ]
    );
}

#[test]
fn what_serves_no_task_is_left_out_and_the_reason_told() {
    let mut full = candidate("full", "eu-west-1a", NAT);
    full.subnet.free_addresses = 0;
    let mut young = candidate("young", "eu-west-1a", NAT);
    young.subnet.state = "pending".into();
    let mut outpost = candidate("outpost", "eu-west-1a", NAT);
    outpost.subnet.outpost = Some("arn:aws:outposts:1".into());
    let local = candidate("local", "eu-west-1-lon-1a", NAT);
    let isolated = candidate("isolated", "eu-west-1a", "rtb-2");
    let public = candidate("public", "eu-west-1a", GATEWAY);
    let all = [full, young, outpost, local, isolated, public];
    let around = Surroundings {
        endpoints: endpoints("rtb-1"),
        public_ip: Some(false),
        ..around()
    };
    assert!(needs_endpoints(&all, &around));
    assert_eq!(
        why_not(&all, &around),
        "no subnet of the VPC serves: `full (no address is free)`, `young (it is pending)`, \
         `outpost (it is outside the region, in eu-west-1a)`, \
         `local (it is outside the region, in eu-west-1-lon-1a)`, \
         `isolated (no way out, and no endpoint for s3)`, `public (public, and `assign_public_ip` is false)`"
    );
    assert_eq!(
        why_not(&[], &around),
        "the database's VPC has no subnet that is to be seen in eu-west-1"
    );
}

#[test]
fn names_and_tags_are_taken_to_the_letter() {
    let tagged = |id: &str, vpc: &str, key: &str, value: &str| Subnet {
        vpc: vpc.into(),
        tags: [(key.to_owned(), value.to_owned())].into(),
        ..subnet(id, "eu-west-1a")
    };
    let all = [
        tagged("subnet-1", "vpc-1", "Name", "my_app-priv\u{e9}e"),
        tagged("subnet-2", "vpc-1", "Tier", "private"),
        tagged("subnet-3", "vpc-1", "Tier", "private"),
        tagged("subnet-4", "vpc-2", "Tier", "private"),
        tagged("subnet-5", "vpc-2", "Name", "twice"),
        tagged("subnet-6", "vpc-2", "Name", "twice"),
    ];
    let name = |name: &str| Pick::Name(name.into());
    let tier = Pick::Tag {
        key: "Tier".into(),
        value: "private".into(),
    };
    let find = |picks: &[Pick], vpc: Option<&str>| {
        let found = named(picks, &all, vpc).map_err(|problem| problem.told("eu-west-1").message);
        found.map(|all| all.into_iter().map(|it| it.id).collect::<Vec<_>>())
    };
    let found = find(
        &[
            name("my_app-priv\u{e9}e"),
            tier.clone(),
            Pick::Id("subnet-2".into()),
        ],
        Some("vpc-1"),
    );
    assert_eq!(found.unwrap(), ["subnet-1", "subnet-2", "subnet-3"]);
    assert_eq!(
        find(&[tier], None).unwrap_err(),
        "the subnets are not of one VPC: `subnet-2 in vpc-1`, `subnet-3 in vpc-1`, `subnet-4 in vpc-2`"
    );
    assert_eq!(
        find(&[name("twice")], None).unwrap_err(),
        "2 subnets fit `twice`: `subnet-5 (twice)`, `subnet-6 (twice)`"
    );
    assert_eq!(
        find(&[name("my_app-privee")], None).unwrap_err(),
        "there is no subnet `my_app-privee` in eu-west-1; there are `my_app-priv\u{e9}e`, `twice`, `twice`"
    );
}

#[test]
fn of_named_subnets_the_route_decides_about_public_addresses_and_doubts_are_told() {
    let take = |all: Vec<Candidate>, around: &Surroundings| {
        let picked = take(all, "configured", around);
        let doubts = picked
            .chosen
            .iter()
            .filter(|it| it.kind == ChosenKind::Caution);
        let doubts: Vec<String> = doubts.map(|it| it.reason.clone()).collect();
        (picked.public_ip, doubts)
    };
    let public = || candidate("public", "eu-west-1a", GATEWAY);
    let private = || candidate("private", "eu-west-1a", NAT);
    assert_eq!(take(vec![public()], &around()), (true, vec![]));
    assert_eq!(take(vec![private()], &around()), (false, vec![]));
    let leads = "public leads out by igw-1 only, which takes `assign_public_ip = true`".to_owned();
    assert_eq!(
        take(vec![private(), public()], &around()),
        (false, vec![leads])
    );
    let isolated = candidate("isolated", "eu-west-1a", "rtb-2");
    let lacks =
        "isolated has no way out, and its VPC no endpoint for ssmmessages, ecr.api, ecr.dkr, s3";
    assert_eq!(
        take(vec![isolated], &around()),
        (false, vec![lacks.to_owned()])
    );
}
