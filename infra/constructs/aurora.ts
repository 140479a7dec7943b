import { CfnOutput, Duration, RemovalPolicy, Validations } from "aws-cdk-lib"
import { SubnetType } from "aws-cdk-lib/aws-ec2"
import type { IKey } from "aws-cdk-lib/aws-kms"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
  ParameterGroup,
} from "aws-cdk-lib/aws-rds"
import { Secret } from "aws-cdk-lib/aws-secretsmanager"
import { Construct } from "constructs"
import type { AuroraSettings, Stage, StageSettings } from "../settings.ts"
import { DATABASE_NAME, OWNER, passwordSecret, ROLES } from "./database-urls.ts"
import { DATABASE_PORT, exportsOf, type Network } from "./network.ts"

/** The functions' `uuidv7()` came with 18. */
const ENGINE = DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_18_4 })

const PASSWORD_LENGTH = 48

const PARAMETERS = {
  "rds.force_ssl": "1",
  // What is logged goes to people who may see no configuration: statements that take long, without their values.
  log_min_duration_statement: "1000",
  log_parameter_max_length: "0",
  log_parameter_max_length_on_error: "0",
  log_statement: "none",
}

/** A name of its own: one that is restored in its place under the same name answers at the same address. */
export const clusterName = (stage: Stage): string => `hotswap-${stage}`

interface AuroraProps {
  settings: StageSettings
  aurora: AuroraSettings
  network: Network
  /** Encrypts the data, its backups, its log and the passwords. */
  key: IKey
}

/** One PostgreSQL for the stage, with a second instance to fail over to where the settings say so, and a password for each role. */
export class AuroraDatabase extends Construct {
  readonly #key: IKey

  constructor(scope: Construct, id: string, { settings, aurora, network, key }: AuroraProps) {
    super(scope, id)
    this.#key = key
    const { stage, removalPolicy } = settings
    const isKept = removalPolicy === RemovalPolicy.RETAIN
    const clusterIdentifier = clusterName(stage)
    const log = new LogGroup(this, "Log", {
      logGroupName: `/aws/rds/cluster/${clusterIdentifier}/postgresql`,
      encryptionKey: key,
      retention: settings.logRetention,
      removalPolicy,
    })
    const [owner] = [OWNER, ...Object.values(ROLES)].map((role) => this.#password(settings, role))
    const instance = { autoMinorVersionUpgrade: true, publiclyAccessible: false }
    const cluster = new DatabaseCluster(this, "Cluster", {
      clusterIdentifier,
      engine: ENGINE,
      defaultDatabaseName: DATABASE_NAME,
      port: DATABASE_PORT,
      credentials: Credentials.fromPassword(OWNER, owner!.secretValueFromJson("password")),
      vpc: network.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.inner],
      writer: ClusterInstance.serverlessV2("Writer", instance),
      readers: aurora.hasStandby
        ? [ClusterInstance.serverlessV2("Standby", { ...instance, scaleWithWriter: true })]
        : [],
      serverlessV2MinCapacity: aurora.capacityMin,
      serverlessV2MaxCapacity: aurora.capacityMax,
      parameterGroup: new ParameterGroup(this, "Parameters", { engine: ENGINE, parameters: PARAMETERS }),
      storageEncrypted: true,
      storageEncryptionKey: key,
      backup: { retention: Duration.days(aurora.restoreDays) },
      copyTagsToSnapshot: true,
      cloudwatchLogsExports: ["postgresql"],
      deletionProtection: isKept,
      removalPolicy,
    })
    cluster.node.addDependency(log)
    new CfnOutput(this, "HostTold", {
      exportName: exportsOf(stage).databaseHost,
      value: cluster.clusterEndpoint.hostname,
    })
    this.#acknowledge(cluster, isKept)
  }

  #password({ stage, removalPolicy }: StageSettings, role: string): Secret {
    const secret = new Secret(this, role, {
      secretName: passwordSecret(stage, role),
      description: `Hotswap ${stage}: the password of the database's role ${role}`,
      encryptionKey: this.#key,
      removalPolicy,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: role }),
        generateStringKey: "password",
        // It stands in URLs, where anything else would have to be escaped, which CloudFormation cannot.
        excludePunctuation: true,
        passwordLength: PASSWORD_LENGTH,
      },
    })
    Validations.of(secret).acknowledge({ id: "AwsSolutions-SMG4", reason: RENEWED_BY_DEPLOYMENT })
    return secret
  }

  #acknowledge(cluster: DatabaseCluster, isKept: boolean): void {
    const reasons: Record<string, string> = {
      "AwsSolutions-RDS6":
        "Its tokens last 15 minutes and take a call to make, at each connection of the hot path; passwords are made by chance and seen by nobody.",
      "AwsSolutions-RDS11": "Only functions reach it, whatever its port.",
      ...(isKept ? {} : { "AwsSolutions-RDS10": "What is tried out can be thrown away." }),
    }
    for (const [id, reason] of Object.entries(reasons)) Validations.of(cluster).acknowledge({ id, reason })
  }
}

const RENEWED_BY_DEPLOYMENT =
  "Functions are given it by a deployment, so a deployment renews it: the migration sets it before they are."
