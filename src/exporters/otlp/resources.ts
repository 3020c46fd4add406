import type { Attributes } from '@opentelemetry/api';
import {
  detectResources,
  hostDetector,
  osDetector,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
  type Resource,
} from '@opentelemetry/resources';
import type { Device } from '../../event/packet-path.ts';
import { own, std } from './attribute-names.ts';

/** The resource of the namespace that a device is in; the same object for the same namespace, which the serializer needs. */
export type Resources = (device: Device | undefined) => Resource;

/** More namespaces than this at once are not expected; the bound only keeps a long run with many short ones small. */
const KEPT_NAMESPACES = 4096;

/**
 * One resource per network namespace: host and OS as detected, `OTEL_RESOURCE_ATTRIBUTES` over them, and as service name the
 * fixed one (option, else `OTEL_SERVICE_NAME`) or the namespace's own.
 */
export async function createResources(options: {
  readonly serviceName: string | undefined;
  /** Where no namespace tells one; default: unknown. */
  readonly fallbackName?: string;
  readonly timeScale: number;
}): Promise<Resources> {
  const detected = detectResources({
    detectors: [hostDetector, osDetector, resourceAttributesEnvDetector, serviceNameEnvDetector],
  });
  await detected.waitForAsyncAttributes?.();
  const base: Attributes = {
    ...detected.attributes,
    ...(options.timeScale === 1 ? {} : { [own.timeScale]: options.timeScale }),
  };
  const fixedName = options.serviceName ?? base[std.serviceName];

  const known = new Map<string, Resource>();
  return (device) => {
    const netns = device?.netns ?? 0;
    const name = device?.netnsName ?? '';
    const key = `${netns} ${name}`;
    let resource = known.get(key);
    if (resource === undefined) {
      if (known.size >= KEPT_NAMESPACES) known.clear();
      resource = resourceFromAttributes({
        ...base,
        [std.serviceName]: fixedName ?? (name === '' ? (options.fallbackName ?? 'unknown') : name),
        ...(netns === 0 ? {} : { [own.netnsInode]: netns }),
        ...(name === '' ? {} : { [own.netnsName]: name }),
      });
      known.set(key, resource);
    }
    return resource;
  };
}
