"""The network, the dashboard and its front door: who comes in, who gets out, and when it is up."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest
from policy_documents import allows, of_roles, policies

from stackcheck.errors import StackCheckError
from stackcheck.recording import Recorded, Recording, record

ROUTE = "aws:ec2/route:Route"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
EVERYWHERE = "0.0.0.0/0"


def one(recording: Recording, type_: str, name: str | None = None) -> Recorded:
    (found,) = (r for r in recording.of(type_) if name is None or r.name == name)
    return found


def subnets(recording: Recording, kind: str) -> list[Recorded]:
    found = recording.of("aws:ec2/subnet:Subnet")
    return [subnet for subnet in found if subnet.name.startswith(kind)]


def container(recording: Recording) -> Mapping[str, Any]:
    task = one(recording, "aws:ecs/taskDefinition:TaskDefinition")
    (found,) = json.loads(task.inputs["containerDefinitions"])
    return found


def way_out(recording: Recording, kind: str) -> Mapping[str, Any] | None:
    """Return the route to the internet of the public or of the private subnets."""
    table = one(recording, "aws:ec2/routeTable:RouteTable", kind).id
    found = [r.inputs for r in recording.of(ROUTE) if r.inputs["routeTableId"] == table]
    assert len(found) <= 1
    return found[0] if found else None


def test_both_kinds_of_subnets_lie_in_two_zones_and_do_not_overlap(recording: Recording) -> None:
    network = IPv4Network(one(recording, "aws:ec2/vpc:Vpc").inputs["cidrBlock"])
    blocks = []
    for kind in ("public", "private"):
        found = subnets(recording, kind)
        assert len({subnet.inputs["availabilityZone"] for subnet in found}) == len(found) == 2
        assert not any(subnet.inputs["mapPublicIpOnLaunch"] for subnet in found)
        blocks += [IPv4Network(subnet.inputs["cidrBlock"]) for subnet in found]
    assert all(block.subnet_of(network) for block in blocks)
    assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)


def test_every_subnet_follows_the_route_table_of_its_kind(recording: Recording) -> None:
    tables = {t.id: t.name for t in recording.of("aws:ec2/routeTable:RouteTable")}
    names = {s.id: s.name for s in recording.of("aws:ec2/subnet:Subnet")}
    followed = {
        names[a.inputs["subnetId"]]: tables[a.inputs["routeTableId"]]
        for a in recording.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
    }
    assert followed == {name: name.partition("-")[0] for name in names.values()}


def test_the_default_security_group_is_emptied(recording: Recording) -> None:
    default = one(recording, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
    assert not {"ingress", "egress"} & set(default)
    assert default["vpcId"] == one(recording, "aws:ec2/vpc:Vpc").id


def test_the_stores_are_reached_without_the_internet_and_those_of_this_account_only(
    recording: Recording,
) -> None:
    tables = {table.id for table in recording.of("aws:ec2/routeTable:RouteTable")}
    endpoints = recording.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert {e.inputs["serviceName"].rpartition(".")[2] for e in endpoints} == {"dynamodb", "s3"}
    for endpoint in endpoints:
        assert endpoint.inputs["vpcEndpointType"] == "Gateway"
        assert set(endpoint.inputs["routeTableIds"]) == tables
        for statement in json.loads(endpoint.inputs["policy"])["Statement"]:
            ours = statement.get("Condition") == {
                "StringEquals": {"aws:ResourceAccount": "123456789012"}
            }
            layers = "starport-layer-bucket" in statement["Resource"][0]
            assert ours != layers


@pytest.mark.slow
def test_only_public_subnets_have_a_way_out_unless_a_nat_gateway_is_asked_for(
    recording: Recording, unusual: Recording
) -> None:
    gateway = one(recording, "aws:ec2/internetGateway:InternetGateway").id
    assert way_out(recording, "public")["gatewayId"] == gateway
    assert way_out(recording, "private") is None
    assert recording.of("aws:ec2/natGateway:NatGateway") == []
    nat = one(unusual, "aws:ec2/natGateway:NatGateway")
    assert way_out(unusual, "private")["natGatewayId"] == nat.id
    assert nat.inputs["subnetId"] in {s.id for s in subnets(unusual, "public")}


def test_the_task_has_an_address_of_its_own_or_goes_through_the_nat_gateway(
    recording: Recording, unusual: Recording
) -> None:
    for stack, kind, address in ((recording, "public", True), (unusual, "private", False)):
        network = one(stack, "aws:ecs/service:Service").inputs["networkConfiguration"]
        assert network["assignPublicIp"] is address
        assert set(network["subnets"]) == {subnet.id for subnet in subnets(stack, kind)}


def test_nothing_but_the_front_door_may_speak_to_the_task(recording: Recording) -> None:
    (task,) = one(recording, "aws:ecs/service:Service").inputs["networkConfiguration"][
        "securityGroups"
    ]
    admitted = [r.inputs for r in recording.of(INGRESS) if r.inputs["securityGroupId"] == task]
    doors = recording.of("aws:lb/loadBalancer:LoadBalancer")
    assert len(admitted) == len(doors)
    for rule, door in zip(admitted, doors, strict=True):
        assert [rule["referencedSecurityGroupId"]] == door.inputs["securityGroups"]
        assert (rule["fromPort"], rule["toPort"]) == (8501, 8501)


def test_every_rule_is_one_port_and_says_what_it_is_for(recording: Recording) -> None:
    rules = [*recording.of(INGRESS), *recording.of(EGRESS)]
    assert rules
    for rule in rules:
        assert rule.inputs["ipProtocol"] == "tcp"
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]
        assert rule.inputs["description"]
    for rule in recording.of(INGRESS):
        assert rule.inputs.get("cidrIpv4") != EVERYWHERE or rule.inputs["toPort"] == 443


def test_refused_packets_are_logged(recording: Recording) -> None:
    log = one(recording, "aws:ec2/flowLog:FlowLog").inputs
    assert (log["trafficType"], log["vpcId"]) == ("REJECT", one(recording, "aws:ec2/vpc:Vpc").id)
    (granted,) = (policy for role, policy in of_roles(recording) if role.name == "flow-log")
    (group,) = (r for r in recording.of(LOG_GROUP) if r.outputs["arn"] == log["logDestination"])
    stream = f"{group.outputs['arn']}:log-stream:eni-1"
    for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"):
        assert allows(granted, f"logs:{action}", stream)
    assert allows(granted, "logs:DescribeLogGroups", "*")
    assert not allows(granted, "logs:PutLogEvents", "*")


def test_without_a_domain_nothing_listens_and_session_manager_is_the_way_in(
    dev: Recording,
) -> None:
    assert not [r for r in dev.resources if r.type.startswith(("aws:lb/", "aws:cognito/"))]
    assert dev.of(INGRESS) == []
    service = one(dev, "aws:ecs/service:Service").inputs
    assert service["enableExecuteCommand"] is True
    assert "loadBalancers" not in service
    writable = {mount["containerPath"] for mount in container(dev)["mountPoints"]}
    assert writable == {"/tmp", "/var/lib/amazon", "/var/log/amazon"}


def test_the_front_door_serves_https_to_people_who_signed_in(prod: Recording) -> None:
    listener = one(prod, "aws:lb/listener:Listener").inputs
    assert (listener["port"], listener["protocol"]) == (443, "HTTPS")
    assert "TLS13" in listener["sslPolicy"]
    assert listener["certificateArn"].startswith("arn:aws:acm:")
    sign_in, forward = sorted(listener["defaultActions"], key=lambda action: action["order"])
    assert sign_in["type"] == "authenticate-cognito"
    assert sign_in["authenticateCognito"]["onUnauthenticatedRequest"] == "authenticate"
    pool = one(prod, "aws:cognito/userPool:UserPool")
    assert sign_in["authenticateCognito"]["userPoolArn"] == pool.outputs["arn"]
    target = one(prod, "aws:lb/targetGroup:TargetGroup")
    assert forward == {"type": "forward", "order": 2, "targetGroupArn": target.outputs["arn"]}
    assert "max-age" in listener["routingHttpResponseStrictTransportSecurityHeaderValue"]


def test_the_load_balancer_is_logged_protected_and_patient_with_websockets(
    prod: Recording,
) -> None:
    door = one(prod, "aws:lb/loadBalancer:LoadBalancer").inputs
    assert set(door["subnets"]) == {subnet.id for subnet in subnets(prod, "public")}
    assert door["enableDeletionProtection"] is door["dropInvalidHeaderFields"] is True
    assert door["idleTimeout"] >= 60
    logs = one(prod, "aws:s3/bucket:Bucket", "logs").inputs["bucket"]
    assert door["accessLogs"] == {"bucket": logs, "enabled": True, "prefix": "load-balancer"}
    target = one(prod, "aws:lb/targetGroup:TargetGroup").inputs
    assert (target["protocol"], target["targetType"]) == ("HTTPS", "ip")
    assert target["stickiness"]["enabled"] is True
    assert target["healthCheck"]["path"] == "/_stcore/health"


def test_accounts_are_made_by_the_operator_and_have_a_second_factor(prod: Recording) -> None:
    pool = one(prod, "aws:cognito/userPool:UserPool")
    assert pool.inputs["adminCreateUserConfig"] == {"allowAdminCreateUserOnly": True}
    assert pool.inputs["mfaConfiguration"] == "ON"
    assert pool.inputs["softwareTokenMfaConfiguration"] == {"enabled": True}
    assert pool.inputs["deletionProtection"] == "ACTIVE"
    assert pool.protect
    client = one(prod, "aws:cognito/userPoolClient:UserPoolClient").inputs
    assert client["allowedOauthFlows"] == ["code"]
    assert client["callbackUrls"] == ["https://dashboard.trading.example/oauth2/idpresponse"]
    assert client["generateSecret"] is True
    assert "secret" not in json.dumps(dict(prod.outputs)).lower()


@pytest.mark.slow
def test_only_admitted_ranges_come_to_the_door(unusual: Recording) -> None:
    group = one(unusual, "aws:ec2/securityGroup:SecurityGroup", "front-door").id
    rules = [r.inputs for r in unusual.of(INGRESS) if r.inputs["securityGroupId"] == group]
    assert {rule["cidrIpv4"] for rule in rules} == {"192.0.2.0/24", "198.51.100.7/32"}


@pytest.mark.slow
def test_a_certificate_of_another_region_is_refused() -> None:
    certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    door = {"domain": "dashboard.trading.example", "certificate": certificate}
    with pytest.raises(StackCheckError, match="lies in eu-west-1, the load balancer in us-east-1"):
        record("dev", {"dashboard": door})


def test_a_deployment_that_fails_is_rolled_back(recording: Recording) -> None:
    service = one(recording, "aws:ecs/service:Service").inputs
    assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service["deploymentMinimumHealthyPercent"] == 100
    assert service["launchType"] == "FARGATE"


def test_it_is_up_in_the_hours_that_people_work(prod: Recording) -> None:
    actions = {
        a.name: a.inputs for a in prod.of("aws:appautoscaling/scheduledAction:ScheduledAction")
    }
    opening, closing = actions["dashboard-open"], actions["dashboard-close"]
    assert opening["schedule"] == "cron(0 7 ? * MON-FRI *)"
    assert closing["schedule"] == "cron(0 21 ? * MON-FRI *)"
    assert opening["timezone"] == closing["timezone"] == "America/New_York"
    assert opening["scalableTargetAction"] == {"minCapacity": 1, "maxCapacity": 1}
    assert closing["scalableTargetAction"] == {"minCapacity": 0, "maxCapacity": 0}
    assert opening["resourceId"] == "service/trading-prod-dashboard/trading-prod-dashboard"


def test_the_container_cannot_write_to_itself_and_holds_no_secret(recording: Recording) -> None:
    found = container(recording)
    assert found["readonlyRootFilesystem"] is True
    assert found["user"] == "1000"
    assert "secrets" not in found
    named = {pair["name"]: pair["value"] for pair in found["environment"]}
    assert all(named.values())
    assert named["TRADING_LEDGER_TABLE"].endswith("-ledger")
    assert "TRADING_PROVIDER_SECRETS" not in named
    assert found["healthCheck"]["command"] == ["CMD", "python", "-m", "streamlit_app.health"]
    task = one(recording, "aws:ecs/taskDefinition:TaskDefinition").inputs
    assert {v["name"] for v in task["volumes"]} == {m["sourceVolume"] for m in found["mountPoints"]}
    assert task["executionRoleArn"] != task["taskRoleArn"]


def test_the_page_reads_and_writes_nothing(recording: Recording) -> None:
    (policy,) = (p for r, p in policies(recording) if r.urn.endswith("RolePolicy::dashboard"))
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    verbs = {action.partition(":")[2] for action in allowed if not action.startswith("ssmmessages")}
    assert all(verb.startswith(("Describe", "Get", "List", "Query", "Scan")) for verb in verbs)
    sessions = {action for action in allowed if action.startswith("ssmmessages:")}
    assert bool(sessions) is not bool(recording.of("aws:lb/loadBalancer:LoadBalancer"))
