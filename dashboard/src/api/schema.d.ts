// Made by `make types` from the OpenAPI document of the API; CI makes it again and compares.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Error: {
            code: string;
            message: string;
        };
        Login: {
            token: string;
            role: string;
            version: string;
            license: {
                [key: string]: unknown;
            };
        };
        Connector: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            actions: string[];
            sources: string[];
        } & {
            [key: string]: unknown;
        };
        Action: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            rules: string[];
        } & {
            [key: string]: unknown;
        };
        Source: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            rules: string[];
        } & {
            [key: string]: unknown;
        };
        Names: string[];
        Metrics: {
            metrics: {
                [key: string]: number;
            };
            node_metrics: {
                node: string;
                metrics: {
                    [key: string]: number;
                };
            }[];
            latency?: {
                [key: string]: unknown;
            };
        };
        Rule: {
            id: string;
            name: string;
            sql: string;
            from: string[];
            actions: string[];
            action_details: {
                type: string;
                name: string;
                status: string;
            }[];
            enable: boolean;
            description: string;
            /** Format: date-time */
            last_modified_at: string;
        };
        Rules: {
            data: components["schemas"]["Rule"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Schema: {
            name: string;
            type: string;
            source: string;
            last_modified_at: number;
        };
        User: {
            username: string;
            role: string;
            description: string;
            backend: string;
        };
        ApiKey: {
            name: string;
            api_key: string;
            api_secret?: string;
            role: string;
            desc: string;
            enable: boolean;
            expired: boolean;
            expired_at: string;
            created_at: string;
        };
        Node: {
            node: string;
            node_status: string;
            role: string;
            kind: string;
            version: string;
            edition: string;
            uptime: number;
            revision: number;
            problem: string;
            memory_used?: number;
        };
        Current: {
            [key: string]: number;
        };
        Step: {
            time_stamp: number;
            received: number;
            received_bytes: number;
            sent: number;
            sent_bytes: number;
            objects: number;
            dropped: number;
            latency_count: number;
            latency_ms: number;
            connections: number;
            lag: number;
        };
        Changes: {
            data: components["schemas"]["ConfigChange"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        ConfigChange: {
            key: string;
            revision: number;
            by: string;
            at: number;
            source: string;
            change: string;
            value: {
                [key: string]: unknown;
            } | null;
        };
        Partitions: {
            topic: string;
            partition: number;
            start: number;
            end: number;
            lag: number;
            committed: number | null;
        }[];
        RuleEvent: {
            event: string;
            topics: string[];
            event_type: string;
            title: {
                en: string;
            };
            description: {
                en: string;
            };
            columns: string[];
            test_columns: {
                [key: string]: unknown;
            };
            sql_example: string;
        };
        Function: {
            name: string;
            theme: string;
            signatures: string[];
            description: string;
            examples: {
                call: string;
                result: string;
            }[];
        };
        Checked: {
            errors: {
                kind?: string;
                path: string;
                reason: string;
                line?: number;
                column?: number;
            }[];
            warnings: {
                kind?: string;
                path: string;
                reason: string;
                line?: number;
                column?: number;
            }[];
        };
        Trial: {
            /** @enum {unknown} */
            outcome: "rows" | "no_result" | "not_matched" | "error";
            rows: unknown[];
            rendered: {
                action: string;
                bucket: string;
                key: string;
                content: string;
            }[][];
            error: {
                message: string;
                line?: number;
                column?: number;
            } | null;
        };
        Session: {
            session: {
                username: string;
                /** @enum {unknown} */
                role: "administrator" | "viewer";
                version: string;
            } | null;
            first: boolean;
        };
        ObjectPage: {
            bucket: string;
            prefix: string;
            folders: string[];
            next: string | null;
            objects: {
                key: string;
                size: number;
                modified: string;
            }[];
        };
        ObjectFacts: {
            bucket: string;
            key: string;
            size: number;
            modified: string;
            etag: string;
            content_type: string;
            revision: number | null;
            rows: number | null;
            partition: number | null;
            first: number | null;
            last: number | null;
            version: string | null;
            sha256: string | null;
            topic: string | null;
            rules: {
                [key: string]: unknown;
            } | null;
            entry: {
                [key: string]: unknown;
            } | null;
            ledger_problem: string;
            named: boolean;
            unchanged: boolean | null;
        };
        ObjectPreview: {
            /** @enum {unknown} */
            form: "json_lines" | "json" | "csv" | "parquet" | "text" | "binary";
            /** @enum {unknown} */
            compression: "none" | "gzip" | "zstd";
            columns: string[];
            rows: (string | null)[][];
            text: string | null;
            cut: boolean;
            problem: string | null;
        };
        Letters: {
            data: ({
                place: string;
                arrived: number;
                action: string;
                rule: string;
                source: string;
                cause: string;
                error: string;
                row: number | null;
                origin: {
                    [key: string]: unknown;
                } | null;
                value_bytes: number;
                copies: number;
                settled: boolean;
                key: string | Record<string, never>;
            } & {
                [key: string]: unknown;
            })[];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
            groups: {
                [key: string]: unknown;
            }[];
        };
        Letter: {
            place: string;
            arrived: number;
            action: string;
            rule: string;
            source: string;
            cause: string;
            error: string;
            row: number | null;
            origin: {
                [key: string]: unknown;
            } | null;
            value_bytes: number;
            copies: number;
            settled: boolean;
            key: string | Record<string, never>;
        } & {
            [key: string]: unknown;
        };
        Job: {
            id: string;
            /** @enum {unknown} */
            kind: "verify" | "replay" | "redrive";
            wish: {
                [key: string]: unknown;
            };
            by: string;
            /** @enum {unknown} */
            state: "running" | "planned" | "done" | "failed" | "cancelled";
            problem: string;
            doing: string;
            done: number;
            total: number;
            began: number;
            ended: number | null;
            notes: string[];
            result?: {
                [key: string]: unknown;
            };
        };
        Rows: {
            [key: string]: unknown;
        } | {
            [key: string]: unknown;
        }[];
        Trace: {
            name: string;
            type: string;
            start_at: number;
            end_at: number;
            status: string;
            log_size: {
                [key: string]: unknown;
            };
            payload_encode: string;
            formatter: string;
        };
        Backup: {
            filename: string;
            node: string;
            created_at: string;
            created_at_sec: number;
            size: number;
        };
        RuleEngine: {
            ignore_sys_message?: boolean;
            jq_function_default_timeout?: string;
        };
        TraceLog: {
            items: string;
            meta: {
                position: number;
                bytes: number;
            };
        };
        Free: {
            [key: string]: unknown;
        };
        Numbers: {
            [key: string]: unknown;
        } | {
            [key: string]: unknown;
        }[];
        Page: {
            data: {
                [key: string]: unknown;
            }[];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Things: {
            [key: string]: unknown;
        }[];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
