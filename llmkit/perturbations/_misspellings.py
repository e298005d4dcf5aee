"""Everyday English words and how people misspell them; a list of our own."""

from __future__ import annotations

_PAIRS = """
absence absense; absolutely absolutly; accept acept; accidentally accidently; accommodate accomodate acommodate;
accommodation accomodation; according acording; account acount; achieve acheive; achievement acheivement;
acknowledge aknowledge; acquire aquire; across accross; actually actualy; address adress; adequate adaquate;
advertisement advertisment; advice advise; afternoon aftenoon; again agian; against agianst; aggressive agressive;
allowed alowed; almost allmost; already allready alredy; although altough; always allways; amateur amature;
amount ammount; analysis analisis; annual anual; answer anser awnser; apparent apparant; apparently apparantly;
appearance appearence; appointment apointment; appreciate apreciate; appropriate apropriate; approximately aproximately;
argument arguement; around arround; arrive arive; article artical; assistance assistence; athlete athelete;
attendance attendence; attention atention; available availible avaliable; basically basicly; beautiful beautifull;
because becuase becasue; before befor; beginning begining; behavior behavoir; belief beleif; believe beleive;
beneficial benificial; between betwen; biggest bigest; business buisness bussiness; calendar calender; careful carefull;
category catagory; ceiling cieling; century centruy; certain certian; certainly certainley; character charachter;
chocolate choclate; choose chose; clothes cloths; colleague collegue; column colum; coming comming; comment coment;
commitment committment; committee comittee commitee; comparison comparision; complete compleet; completely completly;
concentrate consentrate; condition condtion; conscience concience; conscious concious; consistent consistant;
continue contine; control controll; convenient convienient; correct corect; could coud; country contry;
criticism critisism; curiosity curiousity; customer custumer; decide descide; decision decison; definitely definately
definitly; definition defenition; dependent dependant; describe discribe; description discription; desperate desparate;
develop develope; development developement; difference diffrence; different diffrent; difficult dificult;
dinner diner; disappear dissapear; disappoint dissapoint; discipline disipline; discussion discusion;
disease diesease; doctor docter; does dose; during durring; easily easly; effect efect; eight eigth; either iether;
eligible eligable; embarrass embarass; embarrassed embarassed; encourage encourge; english englsh; enough enuogh;
environment enviroment; equipment equiptment; especially especialy; essential esential; every evry;
everything everthing; exactly exactley; exaggerate exagerate; example exemple; excellent excelent; except exept;
exercise excercise; existence existance; expect expct; expensive expencive; experience experiance; explain explane;
explanation explaination; extremely extremly; familiar familar; family familly; famous famus; fascinating facinating;
favorite favorit; february febuary; field feild; fifteen fiveteen; finally finaly; financial finacial; first frist;
follow folow; following folowing; foreign foriegn; forty fourty; forward foward; friend freind; friends freinds;
from form; fulfill fullfil; further futher; generally generaly; genius genious; government goverment; grammar grammer;
grateful greatful; guarantee garantee guarentee; guard gaurd; guidance guidence; happened happend; happiness hapiness;
harass harrass; having haveing; hear here; height heigth; history histroy; hospital hosptial; however howerver;
humorous humourous; hundred hunderd; hungry hungery; identify idenify; imagine imagin; immediate imediate;
immediately immediatly; important importent; improve impove; incident incedent; include inculde; including inculding;
independent independant; information infomation; instead insted; intelligent inteligent; interest intrest;
interested intrested; interesting intresting; interrupt interupt; introduce introduse; island iland; journey jorney;
kitchen kichen; knowledge knowlege; language langauge; large larg; later latter; laugh luagh;
learn lern; leave leav; leisure liesure; length lenght; library libary; license lisence; lightning lightening;
literature litrature; little litte; lonely lonley; lose loose; machine machin; maintenance maintainance; making makeing;
many meny; marriage marrage; material meterial; mathematics mathmatics; meant ment; medicine medecine; might mihgt;
minute minuet; mischievous mischievious; misspell mispell; month monht; morning moring; mountain mountian;
much muhc; necessary neccessary necesary; neighbor nieghbor; neither niether; night nigth; ninety ninty;
noticeable noticable; number numer; occasion ocasion occassion; occasionally occasionaly; occur ocur; occurred occured;
occurrence occurence; official offical; often offen; only olny; opinion opinon; opportunity oportunity;
opposite oposite; original orginal; other ohter; our are; parallel paralel; parents parants; particular particuler;
particularly particulary; patient patiant; people poeple; perform preform; perhaps perphaps; period peroid;
permanent permanant; person persen; personal personel; physical phisical; picture pitcure; piece peice;
planning planing; pleasant plesant; please pleas; point piont; popular populer; possess posess; possession posession;
possible posible; possibly possibley; potato potatoe; practical practicle; prefer perfer; preferred prefered;
prejudice predjudice; prescription perscription; presence presance; president presedent; pressure presure;
pretty prety; previous previos; principle principal; privilege privelege priviledge; probably probaly prolly;
problem probelm; procedure proceedure; process proccess; profession proffession; professional proffesional;
professor proffesor; program progam; prominent prominant; pronunciation pronounciation; publicly publically;
purpose purpous; pursue persue; quantity quanity; question quesiton; quick quik; quiet quite; really realy;
receipt reciept; receive recieve; received recieved; recent resent; recently recentley; recognize reconize;
recommend recomend reccommend; reference refrence; referred refered; regular reguler; relevant relevent;
religious religous; remember remeber; repetition repitition; require requier; research reserch; resistance resistence;
responsible responsable; restaurant restaraunt resturant; result resutl; rhythm rythm; ridiculous rediculous;
right rigth; running runing; said siad; sandwich sandwhich; satisfied satisfyed; schedule schedual; school shcool;
science sience; scissors sissors; secretary secratary; seize sieze; sense sence; sentence sentance;
separate seperate; separately seperately; sergeant sargent; several severel; shining shineing; should shoud;
similar similer; sincerely sincerly; social socal; soldier solider; something somthing; special speical;
specific specifc; speech speach; stopped stoped; straight strait; strange stange; strength strenght; strong storng;
student studnet; studying studing; succeed succede; success sucess; successful succesful sucessful; such shuch;
sugar suger; suggest sugest; summary summery; superintendent superintendant; support suport; suppose supose;
sure shure; surely surley; surprise suprise; surprised suprised; system systme; technical techincal;
temperature temperture; temporary temporery; than then; the teh; their thier there; themselves themselfs; there thier;
therefore therfore; these theese; they thay; thing thign; think thikn; thorough thorogh; thought thougth;
thousand thousend; threshold threshhold; through throught; tired tierd; together togehter; tomorrow tommorow tommorrow;
tongue tounge; too to; toward torward; tragedy tradegy; transferred transfered; tries trys;
truly truely; twelfth twelth; twelve twelv; twenty twenthy; unfortunately unfortunatly; united untied;
university univercity; unnecessary unecessary; until untill; unusual unusal; useful usefull; usual usaul;
usually usualy; vacuum vaccum; valuable valueable; various varous; vegetable vegatable; vehicle vehical; very verry;
view veiw; village vilage; visible visable; weather wether; wednesday wensday; weight wieght; weird wierd;
welcome wellcome; were where; what waht; when wehn; where were; whether wether; which wich; while whlie; whole hole;
with wiht; without whitout; woman women; work wrok; world wrold; worth woth; would woud; write wirte; writing writting;
written writen; wrong worng; year yaer; yesterday yesturday; young yuong; your youre; yourself youself
"""


def _read(pairs: str) -> dict[str, tuple[str, ...]]:
    entries = (entry.split() for entry in pairs.split(";"))
    return {word: tuple(wrong) for word, *wrong in entries}


MISSPELLINGS = _read(_PAIRS)
"""Word -> its misspellings, all in lower case."""
