import { ArnFormat, CfnOutput, Fn, Stack, Validations } from "aws-cdk-lib"
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2"
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam"
import type { IKey } from "aws-cdk-lib/aws-kms"
import type { CfnFunction } from "aws-cdk-lib/aws-lambda"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { Construct } from "constructs"
import type { AuroraSettings, Stage, StageSettings } from "../settings.ts"
import type { Handler } from "./handler.ts"

/** A database that is down with one of them is up in the other. */
const ZONES = 2
export const DATABASE_PORT = 5432

/** What the data stack tells the service stack: by name, as each of the two can be made without the other at hand. */
export const exportsOf = (stage: Stage) => ({
  subnets: Array.from({ length: ZONES }, (_, nth) => `hotswap-${stage}-subnet-${nth + 1}`),
  securityGroup: `hotswap-${stage}-functions`,
  databaseHost: `hotswap-${stage}-database-host`,
})

interface NetworkProps {
  settings: StageSettings
  aurora: AuroraSettings
  /** Encrypts the log. */
  key: IKey
}

/**
 * Three rows of subnets: the database's, with no way out; the functions', who get out through NAT, as Redis, webhooks and AWS's own
 * services are outside; and the gateways'. Nothing gets in but a function to the database.
 */
export class Network extends Construct {
  readonly vpc: IVpc
  /** Of the database. */
  readonly inner: SecurityGroup

  constructor(scope: Construct, id: string, { settings, aurora, key }: NetworkProps) {
    super(scope, id)
    const { stage, logRetention, removalPolicy } = settings
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(aurora.cidr),
      maxAzs: ZONES,
      natGateways: aurora.natGateways,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: "Gateways", subnetType: SubnetType.PUBLIC, cidrMask: 28, mapPublicIpOnLaunch: false },
        { name: "Functions", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
        { name: "Database", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 26 },
      ],
      // Archives by the gigabyte need not pay for the way through NAT.
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    })
    // The library's own class and interface differ where exactly optional members are told apart.
    this.vpc = vpc as IVpc
    this.vpc.addFlowLog("Rejected", {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, "Log", { encryptionKey: key, retention: logRetention, removalPolicy }),
      ),
    })
    const functions = this.#group("Functions", "Functions: out to anywhere, in from nowhere", true)
    this.inner = this.#group("Database", "The database: in from functions, out to nowhere", false)
    this.inner.addIngressRule(Peer.securityGroupId(functions.securityGroupId), Port.tcp(DATABASE_PORT))
    const names = exportsOf(stage)
    this.vpc.privateSubnets.forEach(({ subnetId }, nth) => {
      this.#tell(`Subnet${nth + 1}`, names.subnets[nth]!, subnetId)
    })
    this.#tell("SecurityGroup", names.securityGroup, functions.securityGroupId)
  }

  #group(id: string, description: string, allowAllOutbound: boolean): SecurityGroup {
    return new SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound })
  }

  #tell(id: string, exportName: string, value: string): void {
    new CfnOutput(this, `${id}Told`, { exportName, value })
  }
}

const INTERFACES = [
  "ec2:AssignPrivateIpAddresses",
  "ec2:CreateNetworkInterface",
  "ec2:DeleteNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:UnassignPrivateIpAddresses",
]

/**
 * Has a function run in the network that the data stack made. Lambda makes network interfaces by the function's role;
 * what runs in the function, which has the same role, is denied that.
 */
export const putIntoNetwork = ({ fn }: Handler, stage: Stage): void => {
  const names = exportsOf(stage)
  const cfn = fn.node.defaultChild as CfnFunction
  cfn.vpcConfig = {
    subnetIds: names.subnets.map((name) => Fn.importValue(name)),
    securityGroupIds: [Fn.importValue(names.securityGroup)],
  }
  const anyFunction = Stack.of(fn).formatArn({
    service: "lambda",
    resource: "function",
    resourceName: "*",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
  fn.addToRolePolicy(new PolicyStatement({ actions: INTERFACES, resources: ["*"] }))
  fn.addToRolePolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      actions: INTERFACES,
      resources: ["*"],
      conditions: { ArnLike: { "lambda:SourceFunctionArn": anyFunction } },
    }),
  )
  Validations.of(fn.role!).acknowledge({
    id: "AwsSolutions-IAM5[Resource::*]",
    reason:
      "Lambda makes the network's interfaces, which have no names before; what runs in the function is denied it.",
  })
}
