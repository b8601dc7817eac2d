// What texts in a list are about. An API whose lists do not tell it is asked for each that is seen, once.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { at, get } from "../../api.js";
import { link } from "../../route.js";
import { nameOf } from "./state.js";

const MOST_KNOWN = 1000;
const AT_ONCE = 3;
const known = new Map();
const line = [];
let asking = 0, isTold = true;

function next() {
  while (isTold && asking < AT_ONCE && line.length > 0) {
    const { id, told } = line.pop(); // The newest first: what was scrolled past can wait.
    asking++;
    get(at`/api/jobs/${id}/timeline`)
      .then(({ request }) => {
        if (known.size >= MOST_KNOWN) known.delete(known.keys().next().value);
        known.set(id, request?.topic ?? null);
        told(known.get(id));
      })
      .catch((error) => {
        // No such operation, or too many requests: names do without.
        if ([404, 429].includes(error.status)) isTold = false;
      })
      .finally(() => {
        asking--;
        next();
      });
  }
}

/** A job's name as a link: its topic once that is known. It keeps its size while it is asked for. */
export function JobName({ job, class: name }) {
  const [topic, set] = useState(job.topic ?? known.get(job.id));
  const ref = useRef(null);
  useEffect(() => {
    if (topic !== undefined || job.kind !== "generate" || !isTold) return undefined;
    const entry = { id: job.id, told: set };
    const watch = new IntersectionObserver(([seen]) => {
      if (!seen.isIntersecting) return;
      watch.disconnect();
      line.push(entry);
      next();
    });
    watch.observe(ref.current);
    return () => {
      watch.disconnect();
      const place = line.indexOf(entry);
      if (place >= 0) line.splice(place, 1);
    };
  }, [job.id]);
  const words = job.topic ?? topic ?? nameOf(job);
  return html`<a class=${name} ref=${ref} href=${link(["work", "jobs", job.id])} title=${words}>${words}</a>`;
}
