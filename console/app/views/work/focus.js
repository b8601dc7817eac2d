// Keeps the keyboard's place where a button that was pressed goes away with what it changed.

import { useEffect, useRef } from "../../vendor/htm-preact.js";

/** A ref of a part: where what had the focus in it is gone, its first control, or its heading, gets it. */
export function useFocusKept() {
  const ref = useRef(null);
  const had = useRef(false);
  useEffect(() => {
    // Whoever goes, or clicks, elsewhere has left it; a dialog is part of what was pressed.
    const went = ({ target }) => { if (!target.closest?.("dialog")) had.current = !!ref.current?.contains(target); };
    addEventListener("pointerdown", went);
    addEventListener("focusin", went);
    return () => {
      removeEventListener("pointerdown", went);
      removeEventListener("focusin", went);
    };
  }, []);
  useEffect(() => {
    const isLost = document.activeElement === document.body || !document.activeElement;
    if (!had.current || !isLost || !ref.current || document.querySelector("dialog[open]")) return;
    ref.current.querySelector("[tabindex='-1'], button:not(:disabled), a[href]")?.focus({ preventScroll: true });
  });
  return ref;
}
