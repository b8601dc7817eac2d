// Runs before all else, and asks for what a document cannot know: the files of the view that the fragment names, and, where
// somebody was logged in, the businesses. Without it they are asked for two round trips later.

const FILES = {
  write: ["views/write.js", "markdown.js"],
  work: ["views/work.js", "views/work/job.js"],
  operate: ["views/operate.js", "views/operate/records.js", "views/work/job.js"],
  brand: ["views/brand.js", "markdown.js"],
};
function ask(attributes) {
  document.head.append(Object.assign(document.createElement("link"), attributes));
}
for (const file of FILES[/^#\/(\w+)/.exec(location.hash)?.[1]] ?? FILES.write) ask({ rel: "modulepreload", href: `console/${file}` });
// As session.js has the name and the address: a script that comes first imports nothing.
if (localStorage.getItem("copydesk.here")) ask({ rel: "preload", as: "fetch", crossOrigin: "", href: "api/businesses?limit=200" });
