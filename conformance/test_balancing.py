"""Load balancers and listeners beyond what a deployment calls: attributes, certificates, subnets."""

import pytest
from botocore.exceptions import ClientError

from sandbox import until

REGIONAL = "arn:aws:acm:{}:123456789012:certificate/{}"
KEY = "tcp.idle_timeout.seconds"


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def pairs_of(limits):
    return {one["Name"]: one["Max"] for one in limits}


def pairs(attributes):
    return {one["Key"]: one["Value"] for one in attributes}


@pytest.fixture
def balancer(aws):
    def make(name="shop", subnets=("subnet-a", "subnet-b"), **more):
        made = aws.elb.create_load_balancer(Name=name, Subnets=list(subnets), **more)["LoadBalancers"][0]
        return made["LoadBalancerArn"]

    return make


def listener(aws, arn, protocol="HTTP", port=80, **more):
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    made = aws.elb.create_listener(
        LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=[fixed], **more
    )
    return made["Listeners"][0]["ListenerArn"]


def test_listener_attributes(aws, balancer):
    arn = listener(aws, balancer())
    read = lambda: pairs(aws.elb.describe_listener_attributes(ListenerArn=arn)["Attributes"])
    name = "routing.http.response.x_frame_options.header_value"
    assert (read()["routing.http.response.server.enabled"], read()[name]) == ("true", "")
    aws.elb.modify_listener_attributes(ListenerArn=arn, Attributes=[{"Key": name, "Value": "DENY"}])
    assert read()[name] == "DENY"
    modify = aws.elb.modify_listener_attributes
    assert refused(modify, ListenerArn=arn, Attributes=[{"Key": KEY, "Value": "60"}])[0] == "ValidationError"
    assert refused(modify, ListenerArn=arn[:-1], Attributes=[{"Key": name}])[0] == "ListenerNotFound"


def test_the_idle_timeout_of_a_network_load_balancer(aws, balancer):
    group = aws.elb.create_target_group(Name="tcp", Protocol="TCP", Port=80, VpcId="vpc-1", TargetType="ip")
    forward = {"Type": "forward", "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"]}
    made = aws.elb.create_listener(
        LoadBalancerArn=balancer("net", Type="network"), Protocol="TCP", Port=80, DefaultActions=[forward]
    )
    arn = made["Listeners"][0]["ListenerArn"]
    assert pairs(aws.elb.describe_listener_attributes(ListenerArn=arn)["Attributes"]) == {KEY: "350"}
    modify = aws.elb.modify_listener_attributes
    for value in ("59", "6001", "long"):
        code, _ = refused(modify, ListenerArn=arn, Attributes=[{"Key": KEY, "Value": value}])
        assert code == "InvalidConfigurationRequest", value
    changed = modify(ListenerArn=arn, Attributes=[{"Key": KEY, "Value": "6000"}])
    assert pairs(changed["Attributes"]) == {KEY: "6000"}


def test_certificates(aws, balancer):
    first, second = (REGIONAL.format(aws.region, name) for name in "ab")
    arn = listener(aws, balancer(), "HTTPS", 443, Certificates=[{"CertificateArn": first}])
    added = aws.elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": second}])
    assert added["Certificates"] == [{"CertificateArn": second, "IsDefault": False}]
    aws.elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": second}])
    shown = aws.elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert [(one["CertificateArn"], one["IsDefault"]) for one in shown] == [(first, True), (second, False)]
    remove = aws.elb.remove_listener_certificates
    remove(ListenerArn=arn, Certificates=[{"CertificateArn": second}])
    assert refused(remove, ListenerArn=arn, Certificates=[{"CertificateArn": first}])[0] == "OperationNotPermitted"
    # A certificate of another region, and what is none.
    add = aws.elb.add_listener_certificates
    foreign = REGIONAL.format("eu-west-9", "a")
    code, text = refused(add, ListenerArn=arn, Certificates=[{"CertificateArn": foreign}])
    assert (code, text) == ("CertificateNotFound", f"Certificate '{foreign}' not found")
    assert refused(add, ListenerArn=arn, Certificates=[{"CertificateArn": "mine"}])[0] == "ValidationError"
    modify = aws.elb.modify_listener
    assert refused(modify, ListenerArn=arn, Certificates=[{"CertificateArn": foreign}])[0] == "CertificateNotFound"
    assert refused(modify, ListenerArn=arn, SslPolicy="mine")[0] == "SSLPolicyNotFound"


def test_ssl_policies(aws):
    all = aws.elb.describe_ssl_policies()["SslPolicies"]
    (one,) = aws.elb.describe_ssl_policies(Names=["ELBSecurityPolicy-2016-08"])["SslPolicies"]
    assert one in all and one["SslProtocols"] == ["TLSv1", "TLSv1.1", "TLSv1.2"]
    assert one["Ciphers"][0] == {"Name": "ECDHE-ECDSA-AES128-GCM-SHA256", "Priority": 1}
    assert refused(aws.elb.describe_ssl_policies, Names=["mine"])[0] == "SSLPolicyNotFound"


def test_account_limits(aws):
    pages = aws.elb.get_paginator("describe_account_limits").paginate(PaginationConfig={"PageSize": 5})
    limits = pairs_of([one for page in pages for one in page["Limits"]])
    assert (limits["target-groups"], limits["targets-per-target-group"]) == ("3000", "1000")
    assert limits["rules-per-application-load-balancer"] == "100"
    assert limits == pairs_of(aws.elb.describe_account_limits()["Limits"])
    assert refused(aws.elb.describe_account_limits, PageSize=401)[0] == "ValidationError"


def test_subnets_security_groups_and_addresses(world):
    elb, arn = world.aws.elb, world.balancer
    world.completed()
    show = lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=["sg-1", "sg-2"])
    assert show()["SecurityGroups"] == ["sg-1", "sg-2"]
    code, _ = refused(elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=["mine"])
    assert code == "InvalidSecurityGroup"
    assert elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack")["IpAddressType"] == "dualstack"
    assert show()["IpAddressType"] == "dualstack"
    assert refused(elb.set_ip_address_type, LoadBalancerArn=arn, IpAddressType="ipv6")[0] == "ValidationError"
    zones = elb.set_subnets(LoadBalancerArn=arn, Subnets=["subnet-a", "subnet-b", "subnet-c"])
    assert [one["ZoneName"][-1] for one in zones["AvailabilityZones"]] == ["a", "b", "c"]
    states = lambda: {
        one["TargetHealth"]["State"]
        for one in elb.describe_target_health(TargetGroupArn=world.blue)["TargetHealthDescriptions"]
    }
    assert states() == {"healthy"}, "targets in zones that stay are not checked anew"
    code, text = refused(elb.set_subnets, LoadBalancerArn=arn, Subnets=["subnet-a"])
    assert (code, text.split()[:3]) == ("ValidationError", ["At", "least", "two"])
    gone = arn.replace("/shop/", "/gone/")
    assert refused(elb.set_subnets, LoadBalancerArn=gone, Subnets=["subnet-a"])[0] == "LoadBalancerNotFound"


def test_deletion_protection(aws, balancer):
    arn = balancer()
    protect = lambda value: aws.elb.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": value}]
    )
    protect("true")
    assert refused(aws.elb.delete_load_balancer, LoadBalancerArn=arn)[0] == "OperationNotPermitted"
    protect("false")
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)


def test_a_reservation_of_capacity(aws, balancer):
    """At this scale 2 minutes are a moment."""
    arn = balancer()
    read = lambda: aws.elb.describe_capacity_reservation(LoadBalancerArn=arn)
    assert (read()["DecreaseRequestsRemaining"], read()["CapacityReservationState"]) == (2, [])
    modify = aws.elb.modify_capacity_reservation
    modify(LoadBalancerArn=arn, MinimumLoadBalancerCapacity={"CapacityUnits": 200})
    states = lambda: [one["State"]["Code"] for one in read()["CapacityReservationState"]]
    until(lambda: states() == ["provisioned", "provisioned"], what="the capacity")
    assert read()["MinimumLoadBalancerCapacity"] == {"CapacityUnits": 200}
    assert [one["EffectiveCapacityUnits"] for one in read()["CapacityReservationState"]] == [100.0, 100.0]
    assert refused(modify, LoadBalancerArn=arn)[0] == "ValidationError"
    modify(LoadBalancerArn=arn, ResetCapacityReservation=True)
    until(lambda: states() == [], what="the reset")
    gateway = balancer("gateway", Type="gateway")
    code, _ = refused(modify, LoadBalancerArn=gateway, MinimumLoadBalancerCapacity={"CapacityUnits": 1})
    assert code == "InvalidConfigurationRequest"


def test_addresses_of_a_network_load_balancer(aws):
    mappings = [{"SubnetId": f"subnet-{zone}", "PrivateIPv4Address": f"10.0.{at}.15"} for at, zone in enumerate("ab")]
    make = lambda name, **more: aws.elb.create_load_balancer(
        Name=name, Type="network", SubnetMappings=mappings, **more
    )["LoadBalancers"][0]
    made = make("inside", Scheme="internal", SecurityGroups=["sg-1"])
    addresses = [one["LoadBalancerAddresses"] for one in made["AvailabilityZones"]]
    assert addresses == [[{"PrivateIPv4Address": "10.0.0.15"}], [{"PrivateIPv4Address": "10.0.1.15"}]]
    assert refused(make, name="outside")[0] == "InvalidConfigurationRequest"
    member = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    assert made[member] == "on"
    arn = made["LoadBalancerArn"]
    aws.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=["sg-1"], **{member: "off"})
    assert aws.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0][member] == "off"


STICKY = "Stickiness type '{}' is not supported for target groups with the {} protocol"


@pytest.mark.parametrize(
    "protocol, right, wrong",
    [
        ("HTTP", "lb_cookie", {"source_ip": ("InvalidConfigurationRequest", STICKY.format("source_ip", "HTTP")),
                               "ip": ("ValidationError", "'Stickiness type' must be one of")}),
        ("TCP", "source_ip", {"lb_cookie": ("InvalidConfigurationRequest", STICKY.format("lb_cookie", "TCP")),
                              "source_ip_dest_ip": ("ValidationError", "'Stickiness type' must be one of")}),
    ],
)
def test_stickiness_types_by_protocol(aws, protocol, right, wrong):
    made = aws.elb.create_target_group(Name="g", Protocol=protocol, Port=80, VpcId="vpc-1", TargetType="ip")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    modify = lambda *values: aws.elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": f"stickiness.{key}", "Value": value} for key, value in values]
    )
    for kind, (code, part) in wrong.items():
        got = refused(lambda: modify(("type", kind)))
        assert got[0] == code and got[1].startswith(part), got
    modify(("type", right), ("enabled", "true"))
    if protocol == "HTTP":
        code, text = refused(lambda: modify(("type", "app_cookie")))
        assert code == "InvalidConfigurationRequest" and "application cookie name" in text
        modify(("type", "app_cookie"), ("app_cookie.cookie_name", "session"))


def test_stickiness_of_tls_cannot_be_enabled(aws):
    made = aws.elb.create_target_group(Name="g", Protocol="TLS", Port=443, VpcId="vpc-1", TargetType="ip")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    modify = lambda **values: aws.elb.modify_target_group_attributes(
        TargetGroupArn=arn,
        Attributes=[{"Key": f"stickiness.{key}", "Value": value} for key, value in values.items()],
    )
    modify(type="source_ip", enabled="false")
    code, text = refused(modify, enabled="true")
    assert (code, text) == (
        "InvalidConfigurationRequest", "You cannot enable stickiness on target groups with the TLS protocol"
    )


@pytest.mark.parametrize(
    "members, attributes",
    [
        ({"TargetType": "lambda"}, {"lambda.multi_value_headers.enabled": "true"}),
        ({"Protocol": "GENEVE", "Port": 6081, "VpcId": "vpc-1"},
         {f"target_failover.on_{what}": "rebalance" for what in ("deregistration", "unhealthy")}),
    ],
)
def test_attributes_of_groups_of_functions_and_appliances(aws, members, attributes):
    arn = aws.elb.create_target_group(Name="g", **members)["TargetGroups"][0]["TargetGroupArn"]
    own = lambda: pairs(aws.elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
    before = own()
    assert set(attributes) < set(before)
    aws.elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": key, "Value": value} for key, value in attributes.items()]
    )
    assert own() == before | attributes


def test_the_health_check_port_of_a_target_that_is_not_registered(aws):
    group = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"}
    for name, more, port in (("own", {}, "8080"), ("other", {"HealthCheckPort": "9000"}, "9000")):
        made = aws.elb.create_target_group(Name=name, **group, **more)["TargetGroups"][0]
        (shown,) = aws.elb.describe_target_health(
            TargetGroupArn=made["TargetGroupArn"], Targets=[{"Id": "10.0.0.9", "Port": 8080}]
        )["TargetHealthDescriptions"]
        assert (shown["HealthCheckPort"], shown["TargetHealth"]["Reason"]) == (port, "Target.NotRegistered")


@pytest.mark.parametrize("protocol, equal", [("HTTP", False), ("TCP", True)])
def test_the_timeout_of_a_health_check_and_its_interval(aws, protocol, equal):
    make = lambda name, timeout, interval: aws.elb.create_target_group(
        Name=name, Protocol=protocol, Port=80, VpcId="vpc-1", TargetType="ip",
        HealthCheckTimeoutSeconds=timeout, HealthCheckIntervalSeconds=interval,
    )
    code, text = refused(lambda: make("more", 11, 10))
    how = "smaller than or equal to" if equal else "smaller than"
    assert (code, text) == ("ValidationError", f"Health check timeout '11' must be {how} the interval '10'")
    if equal:
        make("equal", 10, 10)
    else:
        assert refused(lambda: make("equal", 10, 10))[0] == "ValidationError"
    make("less", 9, 10)
